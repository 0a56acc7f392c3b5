"""Undoing an import: its rows count no more, but for those that a person has changed since.

A module of its own because it is the reverse of `importing` and needs nothing of reading. Rows are marked and not
deleted: a backup's comparison sees them, and importing the file again adds them anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from ledger.fingerprint import fingerprint
from ledger.models import Account, Transaction
from statements.models import StatementImport


@dataclass(frozen=True)
class Plan:
    """What undoing an import would do: rows that go, rows that stay because they were edited or given a category."""

    going: Sequence[Transaction]
    staying: Sequence[Transaction]


def plan(record: StatementImport) -> Plan:
    rows = list(record.transactions.select_related("category"))
    return Plan([row for row in rows if not is_edited(row)], [row for row in rows if is_edited(row)])


def is_edited(row: Transaction) -> bool:
    """The fingerprint is the bank's: it stays as it was when the row is edited."""
    now = fingerprint(row.date, row.amount, row.check_number, row.description)
    return row.category_id is not None or row.fingerprint != now


def undo(record: StatementImport) -> Plan:
    """Marks the rows that go. An import into the same account and this wait for each other."""
    with transaction.atomic():
        Account.objects.select_for_update().get(pk=record.account_id)
        undone = plan(record)
        Transaction.objects.filter(pk__in=[row.pk for row in undone.going]).update(undone_at=timezone.now())
    return undone
