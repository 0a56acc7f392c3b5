"""The commands: each takes the context and its arguments, does its work and returns what the command line prints."""
