"""The vault's records and rules: frozen dataclasses and pure functions that read nothing and run nothing."""
