"""The engine's guard of protected volumes. Not active yet: only its name and version are here."""

__version__ = "0.1.0"
