"""The engine's guard of protected volumes: an authorization plugin that refuses what would lose their data."""

__version__ = "0.2.0"
