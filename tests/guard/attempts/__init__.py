"""Every line of part G of the catalogue as an attempt, with what has to come of it in each profile, fixed beforehand.

A package of its own because the list is the claim: a module for each group, in the catalogue's order. `loses`: without
a guard this attempt destroys data (the matrix shows it); the others are ways in, whose refusal is all that can be seen.
"""

from __future__ import annotations

from importlib import import_module

from tests.guard.attempts.base import ALLOWED, ATTEMPTS, REFUSED, TWINS, Attempt

for _group in (
    "deletes", "prunes", "projects", "mounts", "volume_options", "inside", "host_reach", "tricks", "own_steps",
    "descriptions",
):  # fmt: skip
    import_module(f"tests.guard.attempts.{_group}")

__all__ = ["ALLOWED", "ATTEMPTS", "REFUSED", "TWINS", "Attempt"]
