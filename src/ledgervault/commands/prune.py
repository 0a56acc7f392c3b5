"""Removes backups that no tier keeps: after a proof, when room is short, and on request."""

from __future__ import annotations

from ledgervault.commands import state
from ledgervault.commands.context import Context
from ledgervault.model.errors import CouldNot
from ledgervault.model.retention import Decision, Rule
from ledgervault.storage import files


def prune(context: Context, *, dry_run: bool = False, pressed: bool | None = None) -> list[Decision]:
    """Returns the decision about each backup. With `pressed` None the free space decides whether room is short."""
    short = _is_room_short(context) if pressed is None else pressed
    rules = {tier: Rule(rule.keep_hours, rule.least) for tier, rule in context.config.tiers.items()}
    decisions = context.store.prune(rules, files.now(), dry_run=dry_run, pressed=short)
    removed = [decision.file for decision in decisions if decision.removed]
    if removed and not dry_run:
        context.store.log(f"pruned {' '.join(removed)}")
        state.update(context)
    return decisions


def after_proof(context: Context) -> None:
    """A pruning error is logged and printed; the proof is still valid."""
    try:
        prune(context)
    except CouldNot as error:
        context.store.log(f"not pruned: {error}")
        context.say(error.text())


def make_room(context: Context, extra_bytes: int) -> None:
    """Raises CouldNot if there is too little room even after pruning."""
    try:
        context.check_room(extra_bytes)
    except CouldNot:
        prune(context, pressed=True)
        context.check_room(extra_bytes)


def _is_room_short(context: Context) -> bool:
    try:
        context.check_room(context.expected_size())
    except CouldNot:
        return True
    return False
