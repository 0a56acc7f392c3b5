"""Refuses a run before anything changes: the checklists, the contacts, partial runs."""
