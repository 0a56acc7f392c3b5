"""From a file to transactions: all of it or nothing, and nothing twice.

"Twice" is counted, not looked up: a bank may well have two equal coffees on one day. Of each distinct row the file
holds n and the account m; n - m are added.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from decimal import Decimal
from functools import cached_property

from django.contrib.auth.models import User
from django.db import transaction

from ledger.fingerprint import fingerprint
from ledger.models import Account, Transaction
from statements.models import RememberedAnswers, StatementImport
from statements.reading import owners, reader
from statements.reading.asking import Asked, Choice, Question
from statements.reading.parsing import Problem, Row, Statement, Unreadable, counted, money

MONTHS_IN_A_YEAR = 12
NO_ANSWERS: Mapping[str, str] = {}


class Refused(Exception):
    """The file was not imported, nothing was saved, and these are the reasons. `good_rows` could be imported alone."""

    def __init__(self, filename: str, problems: Sequence[Problem], good_rows: int = 0) -> None:
        self.filename, self.problems, self.good_rows = filename, tuple(problems), good_rows
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


def parse(
    filename: str, content: bytes, answers: Mapping[str, str] = NO_ANSWERS, *, skip_bad_rows: bool = False
) -> Statement:
    """The statement; Refused with every problem found; Asked where the file leaves something open."""
    try:
        statement = reader.read(filename, content, answers)
    except Unreadable as error:
        raise Refused(filename, [error.problem]) from None
    if not statement.problems:
        return statement
    if not skip_bad_rows or not statement.rows:
        raise Refused(filename, statement.problems, len(statement.rows))
    note = f"{counted(len(statement.problems), 'unreadable row')} left out, as asked for"
    return replace(statement, notes=(*statement.notes, note))


def import_file(
    filename: str,
    content: bytes,
    account_name: str,
    *,
    answers: Mapping[str, str] = NO_ANSWERS,
    skip_bad_rows: bool = False,
    user: User | None = None,
    dry_run: bool = False,
) -> Outcome:
    """Parse, then save in one transaction. The account is created if it is new; with `dry_run` nothing is written.

    Answers given once for an account and a layout are remembered, and used where the same question comes up again.
    """
    statement, earlier = _parsed(filename, content, account_name, answers, skip_bad_rows=skip_bad_rows)
    _ask_about_another(filename, account_name, statement, answers)
    if not statement.rows:  # a month in which nothing happened; no account is made for it
        return Outcome(filename, account_name, False, statement, (), dry_run)
    with transaction.atomic():
        upload = Upload(filename, content, account_name, {**earlier, **answers}, user, dry_run)
        outcome = _import(upload, statement)
        if answers and not dry_run:
            _remember(account_name, filename, statement, answers)
    return outcome


def _parsed(
    filename: str, content: bytes, account_name: str, answers: Mapping[str, str], *, skip_bad_rows: bool
) -> tuple[Statement, dict[str, str]]:
    """(the statement, the remembered answers that it took). An answer may open the next question: first the account,
    then what its rows leave open.
    """
    earlier: dict[str, str] = {}
    while True:
        try:
            statement = parse(filename, content, {**earlier, **answers}, skip_bad_rows=skip_bad_rows)
            break
        except Asked as open_questions:
            more = remembered(account_name, open_questions)
            if not more:
                raise
            earlier |= more  # a question that has an answer is not asked again, so this ends
    if not earlier:
        return statement, earlier
    pairs = ", ".join(f"{key}={choice}" for key, choice in sorted(earlier.items()))
    return replace(statement, notes=(*statement.notes, f"answered as before for this account: {pairs}")), earlier


def _ask_about_another(filename: str, account_name: str, statement: Statement, answers: Mapping[str, str]) -> None:
    """Asks where the file is of another account than was chosen before from files of that layout."""
    account = statement.own_account
    if not account or owners.KEY in answers:
        return
    memory = _memory(account_name, statement.layout)
    before = memory.answers.get(owners.KEY, owners.ALL) if memory else owners.ALL
    if before in (owners.ALL, account):
        return
    text = (
        f"Before, this account got the rows of {before}; this file holds {account}. Are its rows to be imported here?"
    )
    choice = Choice(account, f"{account}: {len(statement.rows)} rows, sum {money(statement.total)}")
    raise Asked(filename, (Question(owners.KEY, text, (choice,)),), statement.layout)


def remembered(account_name: str, open_questions: Asked) -> dict[str, str]:
    """The answers given before to these questions, where they are still among the choices and about the same."""
    memory = _memory(account_name, open_questions.layout)
    if memory is None:
        return {}
    subjects = memory.subjects or {}
    alike = [question for question in open_questions.questions if subjects.get(question.key, "") == question.about]
    choices = {(question.key, choice.value) for question in alike for choice in question.choices}
    return {key: choice for key, choice in memory.answers.items() if (key, choice) in choices}


def _memory(account_name: str, layout: str) -> RememberedAnswers | None:
    return RememberedAnswers.objects.filter(account__name=account_name, layout=layout).first()


def _remember(account_name: str, filename: str, statement: Statement, answers: Mapping[str, str]) -> None:
    """Only answers that the file asked for: another one would be taken for certain in the next file."""
    used = _used(answers, statement)
    if not used:
        return
    account = Account.objects.get(name=account_name)
    memory, _ = RememberedAnswers.objects.get_or_create(account=account, layout=statement.layout)
    memory.answers = {**memory.answers, **used}
    memory.subjects = {**(memory.subjects or {}), **{key: statement.subjects[key] for key in used}}
    memory.filename = filename
    memory.save()


def _used(answers: Mapping[str, str], statement: Statement) -> dict[str, str]:
    """The answers to questions that the file raised."""
    return {key: choice for key, choice in answers.items() if key in statement.subjects}


@dataclass(frozen=True)
class Upload:
    """One file on its way into one account; `answers` are all answers that it was read with."""

    filename: str
    content: bytes
    account_name: str
    answers: Mapping[str, str]
    user: User | None
    dry_run: bool

    @cached_property
    def digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def _import(upload: Upload, statement: Statement) -> Outcome:
    account, created = _locked_account(upload.account_name, statement.currency, create=not upload.dry_run)
    doubts = _doubts(statement, account, upload.account_name, upload.digest)
    statement = replace(statement, notes=(*statement.notes, *doubts))
    added = new_rows(statement.rows, _counts(account, statement.rows))
    if added and account:
        _refuse_another_reading(upload, account, added)
    if added and account and not upload.dry_run:
        _save(account, upload, statement, added)
    return Outcome(upload.filename, upload.account_name, created, statement, added, upload.dry_run)


def _refuse_another_reading(upload: Upload, account: Account, added: Sequence[Row]) -> None:
    """The bank's own cells of a row that is there with other values: the file was imported with another answer."""
    days = {day for row in added for day in (row.date, _swapped(row.date))}
    on_these_days = account.transactions.filter(date__in=days).exclude(original_row=None)
    by_cells = {tuple(entry.original_row or ()): entry for entry in on_these_days}
    of_this_file = account.transactions.filter(statement__sha256=upload.digest)
    by_line = {entry.statement_line: entry for entry in of_this_file}
    pairs = [(row, by_cells.get(row.cells) or by_line.get(row.line)) for row in added]
    changed = [(row, entry) for row, entry in pairs if entry and entry.fingerprint != row_fingerprint(row)]
    if changed:
        row, entry = changed[0]
        change = (
            f"{len(changed)} of its rows are in {account.name!r} with other values: this one as {money(entry.amount)} "
            f"on {entry.date}, now it would be {money(row.amount)} on {row.date}; undo that import first, or answer "
            "as then"
        )
        raise Refused(upload.filename, [Problem(row.line, change)])


def _swapped(day: date) -> date:
    """The same figures with day and month in the other order, if that is a date."""
    return day.replace(month=day.day, day=day.month) if day.day <= MONTHS_IN_A_YEAR else day


def _doubts(statement: Statement, account: Account | None, account_name: str, digest: str) -> Iterator[str]:
    """Signs that the file belongs to another account."""
    if account and statement.currency and account.currency != statement.currency:
        yield f"the file is in {statement.currency}, the account in {account.currency}: is it the right account?"
    if not statement.own_account:  # a file of several accounts is imported into each
        elsewhere = StatementImport.objects.filter(sha256=digest).exclude(account__name=account_name)
        for earlier in elsewhere.select_related("account"):
            yield f"the same file was imported into account '{earlier.account}' before: is it the right account?"


def row_fingerprint(row: Row) -> str:
    return fingerprint(row.date, row.amount, row.check_number, row.description)


def new_rows(rows: Sequence[Row], counts: Counter[str]) -> tuple[Row, ...]:
    """The rows beyond those the account already holds, in the file's order."""
    remaining = counts.copy()
    added = []
    for row in rows:
        key = row_fingerprint(row)
        if remaining[key] > 0:
            remaining[key] -= 1
        else:
            added.append(row)
    return tuple(added)


def _locked_account(name: str, currency: str, *, create: bool) -> tuple[Account | None, bool]:
    """Two imports into one account follow each other: both counting first and adding then would add twice."""
    if create:
        _, created = Account.objects.get_or_create(name=name, defaults={"currency": currency} if currency else {})
        return Account.objects.select_for_update().get(name=name), created
    account = Account.objects.filter(name=name).first()
    return account, account is None


def _counts(account: Account | None, rows: Sequence[Row]) -> Counter[str]:
    if account is None:
        return Counter()
    keys = {row_fingerprint(row) for row in rows}
    return Counter(account.transactions.filter(fingerprint__in=keys).values_list("fingerprint", flat=True))


def _save(account: Account, upload: Upload, statement: Statement, added: Sequence[Row]) -> None:
    reading = {
        "answers": _used(upload.answers, statement),
        "left_out": [asdict(line) for line in statement.left_out],
    }
    file = {
        "filename": upload.filename,
        "content": upload.content,
        "source": statement.source,
        "row_count": len(statement.rows),
        "imported_by": upload.user,
    }
    record, _ = StatementImport.objects.update_or_create(
        account=account, sha256=upload.digest, defaults=reading, create_defaults={**file, **reading}
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
                statement=record,
                statement_line=row.line,
                fingerprint=row_fingerprint(row),
            )
            for row in added
        ],
        batch_size=1000,
    )
    from_file = Transaction.objects.filter(statement=record).count()
    if from_file > record.row_count:  # another part of a file of several accounts
        record.row_count = from_file
        record.save(update_fields=["row_count"])
