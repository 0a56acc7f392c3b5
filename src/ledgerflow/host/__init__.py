"""Decides from a host's facts what happens to its engine and its guard, and whether its resources suffice."""
