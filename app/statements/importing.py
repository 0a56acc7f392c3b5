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
from statements.reading import charsets, generic, kinds, owners, text, wells_fargo
from statements.reading.asking import Asked, Choice, Desk, Question
from statements.reading.parsing import Problem, Row, Statement, Unreadable, money

WESTERN = ("cp1252", "iso-8859-1")
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
        statement = _read(filename, content, answers)
    except Unreadable as error:
        raise Refused(filename, [error.problem]) from None
    if not statement.problems:
        return statement
    if not skip_bad_rows or not statement.rows:
        raise Refused(filename, statement.problems, len(statement.rows))
    count = len(statement.problems)
    note = f"{count} unreadable {'row' if count == 1 else 'rows'} left out, as asked for"
    return replace(statement, notes=(*statement.notes, note))


def _read(filename: str, content: bytes, answers: Mapping[str, str]) -> Statement:
    kinds.refuse_others(content)
    decoded, encoding = text.decode(content)
    bank = _wells_fargo(decoded)
    if bank:
        return bank
    desk = Desk(answers)
    layout = ""
    if encoding in WESTERN:
        chosen = _ask_encoding(content, encoding, desk)
        layout = (
            generic.layout_of(content.decode("iso-8859-1")) if "encoding" in desk.subjects or desk.questions else ""
        )
        decoded = content.decode(chosen)
        desk.note(f"the file is not UTF-8; read as {chosen.upper()}")
    statement = generic.read(decoded, desk)
    statement = replace(statement, layout=layout or statement.layout)
    if desk.questions:
        raise Asked(filename, tuple(desk.questions), statement.layout, statement.left_out)
    return statement


def _ask_encoding(content: bytes, western: str, desk: Desk) -> str:
    """That of western Europe; asked where the bytes are words of another part of the world as well."""
    readings = charsets.readings(content)
    if len(readings) == 1:
        return western
    samples = {western if one.encoding == charsets.WEST else one.encoding: one.sample for one in readings}
    choices = {encoding: f"{sample} ({encoding.upper()})" for encoding, sample in samples.items()}
    return desk.decide("encoding", "", "Which of these read right? The file does not say its encoding.", choices)


def _wells_fargo(decoded: str) -> Statement | None:
    try:
        found = list(text.records(decoded))
    except Unreadable:
        return None  # broken as comma-separated; the generic reader tries the other delimiters and says what is wrong
    return wells_fargo.read(found) if wells_fargo.recognises(found) else None


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
    statement, before = _parsed(filename, content, account_name, answers, skip_bad_rows=skip_bad_rows)
    _ask_about_another(filename, account_name, statement, answers)
    if not statement.rows:  # a month in which nothing happened; no account is made for it
        return Outcome(filename, account_name, False, statement, (), dry_run)
    with transaction.atomic():
        upload = Upload(filename, content, account_name, {**before, **answers}, user, dry_run)
        outcome = _import(upload, statement)
        if answers and not dry_run:
            _remember(account_name, filename, statement, answers)
    return outcome


def _parsed(
    filename: str, content: bytes, account_name: str, answers: Mapping[str, str], *, skip_bad_rows: bool
) -> tuple[Statement, dict[str, str]]:
    """(the statement, the answers given before that it took). One may open the next question: which account, then what
    its rows leave open.
    """
    known: dict[str, str] = {}
    while True:
        try:
            statement = parse(filename, content, {**known, **answers}, skip_bad_rows=skip_bad_rows)
            break
        except Asked as asked:
            more = remembered(account_name, asked)
            if not more:
                raise
            known |= more  # a question that has an answer is not asked again, so this ends
    if not known:
        return statement, known
    said = ", ".join(f"{key}={choice}" for key, choice in sorted(known.items()))
    return replace(statement, notes=(*statement.notes, f"answered as before for this account: {said}")), known


def _ask_about_another(filename: str, account_name: str, statement: Statement, answers: Mapping[str, str]) -> None:
    """Asked, where a file of one account is another one than was chosen before from files of that layout."""
    found = statement.own_account
    kept = _kept(account_name, statement.layout) if found and owners.KEY not in answers else None
    before = kept.answers.get(owners.KEY, owners.ALL) if kept else owners.ALL
    if before in (owners.ALL, found):
        return
    text = f"Before, this account got the rows of {before}; this file holds {found}. Are its rows to be imported here?"
    choice = Choice(found, f"{found}: {len(statement.rows)} rows, sum {money(statement.total)}")
    raise Asked(filename, (Question(owners.KEY, text, (choice,)),), statement.layout)


def remembered(account_name: str, asked: Asked) -> dict[str, str]:
    """The answers given before to these questions, where they are still among the choices and about the same."""
    kept = _kept(account_name, asked.layout)
    if kept is None:
        return {}
    same = [one for one in asked.questions if (kept.subjects or {}).get(one.key, "") == one.about]
    choices = {question.key: {choice.value for choice in question.choices} for question in same}
    return {key: choice for key, choice in kept.answers.items() if choice in choices.get(key, set())}


def _kept(account_name: str, layout: str) -> RememberedAnswers | None:
    return RememberedAnswers.objects.filter(account__name=account_name, layout=layout).first()


def _remember(account_name: str, filename: str, statement: Statement, answers: Mapping[str, str]) -> None:
    """Only answers that the file asked for: another one would be taken for certain in the next file."""
    given = {key: choice for key, choice in answers.items() if key in statement.subjects}
    if not given:
        return
    account = Account.objects.get(name=account_name)
    kept, _ = RememberedAnswers.objects.get_or_create(account=account, layout=statement.layout)
    kept.answers = {**kept.answers, **given}
    kept.subjects = {**(kept.subjects or {}), **{key: statement.subjects[key] for key in given}}
    kept.filename = filename
    kept.save()


@dataclass(frozen=True)
class Upload:
    """One file on its way into one account; `answers` are all that it was read with."""

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
    added = new_rows(statement.rows, _known(account, statement.rows))
    if added and account:
        _refuse_another_reading(upload, account, added)
    if added and account and not upload.dry_run:
        _save(account, upload, statement, added)
    return Outcome(upload.filename, upload.account_name, created, statement, added, upload.dry_run)


def _refuse_another_reading(upload: Upload, account: Account, added: Sequence[Row]) -> None:
    """The bank's own cells of a row that is there with other values: the file was imported with another answer."""
    days = {day for row in added for day in (row.date, _swapped(row.date))}
    stored = account.transactions.filter(date__in=days).exclude(original_row=None)
    before = {tuple(one.original_row or ()): one for one in stored}
    lines = account.transactions.filter(statement__sha256=upload.digest)
    same_line = {one.statement_line: one for one in lines}
    pairs = [(row, before.get(row.cells) or same_line.get(row.line)) for row in added]
    changed = [(row, one) for row, one in pairs if one and one.fingerprint != row_fingerprint(row)]
    if changed:
        row, one = changed[0]
        what = (
            f"{len(changed)} of its rows are in {account.name!r} with other values: this one as {money(one.amount)} on "
            f"{one.date}, now it would be {money(row.amount)} on {row.date}; undo that import first, or answer as then"
        )
        raise Refused(upload.filename, [Problem(row.line, what)])


def _swapped(day: date) -> date:
    """The same figures with day and month in the other order, if that is a date."""
    return day.replace(month=day.day, day=day.month) if day.day <= MONTHS_IN_A_YEAR else day


def _doubts(statement: Statement, account: Account | None, account_name: str, digest: str) -> Iterator[str]:
    """Signs that the file belongs to another account."""
    if account and statement.currency and account.currency != statement.currency:
        yield f"the file is in {statement.currency}, the account in {account.currency}: is it the right account?"
    if not statement.own_account:  # a file of several accounts is imported into each
        others = StatementImport.objects.filter(sha256=digest).exclude(account__name=account_name)
        for other in others.select_related("account"):
            yield f"the same file was imported into account '{other.account}' before: is it the right account?"


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


def _locked_account(name: str, currency: str, *, create: bool) -> tuple[Account | None, bool]:
    """Two imports into one account follow each other: both counting first and adding then would add twice."""
    created = False
    if create:
        _, created = Account.objects.get_or_create(name=name, defaults={"currency": currency} if currency else {})
        return Account.objects.select_for_update().get(name=name), created
    account = Account.objects.filter(name=name).first()
    return account, account is None


def _known(account: Account | None, rows: Sequence[Row]) -> Counter[str]:
    if account is None:
        return Counter()
    keys = {row_fingerprint(row) for row in rows}
    return Counter(account.transactions.filter(fingerprint__in=keys).values_list("fingerprint", flat=True))


def _save(account: Account, upload: Upload, statement: Statement, added: Sequence[Row]) -> None:
    told = {
        "answers": {key: choice for key, choice in upload.answers.items() if key in statement.subjects},
        "left_out": [asdict(line) for line in statement.left_out],
    }
    first = {
        "filename": upload.filename,
        "content": upload.content,
        "source": statement.source,
        "row_count": len(statement.rows),
        "imported_by": upload.user,
    }
    kept, _ = StatementImport.objects.update_or_create(
        account=account, sha256=upload.digest, defaults=told, create_defaults={**first, **told}
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
    from_file = Transaction.objects.filter(statement=kept).count()
    if from_file > kept.row_count:  # another part of a file of several accounts
        kept.row_count = from_file
        kept.save(update_fields=["row_count"])
