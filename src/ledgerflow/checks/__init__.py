"""Finds in compose files, scripts and workflows what would lose a protected volume."""
