"""From a file to transactions: all of it or nothing, and nothing twice.

"Twice" is counted, not looked up: a bank may well have two equal coffees on one day. Of each distinct row the file
holds n and the account m; n - m are added.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.contrib.auth.models import User
from django.db import transaction

from ledger.fingerprint import fingerprint
from ledger.models import Account, Transaction
from statements import wells_fargo
from statements.models import StatementImport
from statements.parsing import Problem, Row, Statement, Unreadable, decode, records, unreadable_as


class Refused(Exception):
    """The file was not imported, nothing was saved, and these are the reasons."""

    def __init__(self, filename: str, problems: Sequence[Problem]) -> None:
        self.filename, self.problems = filename, tuple(problems)
        super().__init__("; ".join(problem.at(filename) for problem in problems))


@dataclass(frozen=True)
class Outcome:
    filename: str
    account: str
    account_created: bool
    statement: Statement
    added: tuple[Row, ...]
    dry_run: bool

    @property
    def already_there(self) -> int:
        return len(self.statement.rows) - len(self.added)

    @property
    def added_total(self) -> Decimal:
        return sum((row.amount for row in self.added), Decimal(0))


def parse(filename: str, content: bytes) -> Statement:
    """The statement, or Refused with every problem found."""
    try:
        found = list(records(decode(content)))
        if not wells_fargo.recognises(found):
            raise unreadable_as(found, wells_fargo.EXPECTED)
    except Unreadable as error:
        raise Refused(filename, [error.problem]) from None
    statement = wells_fargo.read(found)
    if statement.problems:
        raise Refused(filename, statement.problems)
    return statement


@transaction.atomic
def import_file(
    filename: str, content: bytes, account_name: str, *, user: User | None = None, dry_run: bool = False
) -> Outcome:
    """Parse and save in one transaction. The account is created if it is new; with `dry_run` nothing is written."""
    statement = parse(filename, content)
    account, created = _locked_account(account_name, create=not dry_run)
    added = new_rows(statement.rows, _known(account, statement.rows))
    if added and account and not dry_run:
        _save(account, filename, content, statement, added, user)
    return Outcome(filename, account_name, created, statement, added, dry_run)


def row_fingerprint(row: Row) -> str:
    return fingerprint(row.date, row.amount, row.check_number, row.description)


def new_rows(rows: Sequence[Row], known: Counter[str]) -> tuple[Row, ...]:
    """The rows beyond those the account already holds, in the file's order."""
    left = known.copy()
    added = []
    for row in rows:
        key = row_fingerprint(row)
        if left[key] > 0:
            left[key] -= 1
        else:
            added.append(row)
    return tuple(added)


def _locked_account(name: str, *, create: bool) -> tuple[Account | None, bool]:
    """Two imports into one account follow each other: both counting first and adding then would add twice."""
    created = False
    if create:
        _, created = Account.objects.get_or_create(name=name)
        return Account.objects.select_for_update().get(name=name), created
    account = Account.objects.filter(name=name).first()
    return account, account is None


def _known(account: Account | None, rows: Sequence[Row]) -> Counter[str]:
    if account is None:
        return Counter()
    keys = {row_fingerprint(row) for row in rows}
    return Counter(account.transactions.filter(fingerprint__in=keys).values_list("fingerprint", flat=True))


def _save(
    account: Account,
    filename: str,
    content: bytes,
    statement: Statement,
    added: Sequence[Row],
    user: User | None,
) -> None:
    kept, _ = StatementImport.objects.get_or_create(
        account=account,
        sha256=hashlib.sha256(content).hexdigest(),
        defaults={
            "filename": filename,
            "content": content,
            "source": statement.source,
            "row_count": len(statement.rows),
            "imported_by": user,
        },
    )
    Transaction.objects.bulk_create(
        [
            Transaction(
                account=account,
                date=row.date,
                amount=row.amount,
                description=row.description,
                check_number=row.check_number,
                source=statement.source,
                original_row=list(row.cells),
                statement=kept,
                statement_line=row.line,
                fingerprint=row_fingerprint(row),
            )
            for row in added
        ],
        batch_size=1000,
    )
