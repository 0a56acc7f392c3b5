"""From a file to transactions: all of it or nothing, and nothing twice.

"Twice" is counted, not looked up: a bank may well have two equal coffees on one day. Of each distinct row the file
holds n and the account m; n - m are added.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from django.contrib.auth.models import User
from django.db import transaction

from ledger.fingerprint import fingerprint
from ledger.models import Account, Transaction
from statements import generic, kinds, owners, text, wells_fargo
from statements.asking import Asked, Choice, Desk, Question
from statements.models import RememberedAnswers, StatementImport
from statements.parsing import Problem, Row, Statement, Unreadable, money

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
    if encoding in ("cp1252", "iso-8859-1"):
        desk.note(f"the file is not UTF-8; read as {encoding.upper()}")
    statement = generic.read(decoded, desk)
    if desk.questions:
        raise Asked(filename, tuple(desk.questions), statement.layout)
    return statement


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
    statement = _parsed(filename, content, account_name, answers, skip_bad_rows=skip_bad_rows)
    _ask_about_another(filename, account_name, statement, answers)
    if not statement.rows:  # a month in which nothing happened; no account is made for it
        return Outcome(filename, account_name, False, statement, (), dry_run)
    with transaction.atomic():
        outcome = _import(filename, content, account_name, statement, user, dry_run)
        if answers and not dry_run:
            _remember(account_name, statement.layout, answers)
    return outcome


def _parsed(
    filename: str, content: bytes, account_name: str, answers: Mapping[str, str], *, skip_bad_rows: bool
) -> Statement:
    """With the answers given before. One may open the next question: which account, then what its rows leave open."""
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
        return statement
    said = ", ".join(f"{key}={choice}" for key, choice in sorted(known.items()))
    return replace(statement, notes=(*statement.notes, f"answered as before for this account: {said}"))


def _ask_about_another(filename: str, account_name: str, statement: Statement, answers: Mapping[str, str]) -> None:
    """Asked, where a file of one account is another one than was chosen before from files of that layout."""
    found = statement.own_account
    kept = _kept(account_name, statement.layout) if found and owners.KEY not in answers else {}
    before = kept.get(owners.KEY, owners.ALL)
    if before in (owners.ALL, found):
        return
    text = f"Before, this account got the rows of {before}; this file holds {found}. Are its rows to be imported here?"
    choice = Choice(found, f"{found}: {len(statement.rows)} rows, sum {money(statement.total)}")
    raise Asked(filename, (Question(owners.KEY, text, (choice,)),), statement.layout)


def remembered(account_name: str, asked: Asked) -> dict[str, str]:
    """The answers given before to these questions, where they are still among the choices."""
    choices = {question.key: {choice.value for choice in question.choices} for question in asked.questions}
    kept = _kept(account_name, asked.layout)
    return {key: choice for key, choice in kept.items() if choice in choices.get(key, set())}


def _kept(account_name: str, layout: str) -> dict[str, str]:
    kept = RememberedAnswers.objects.filter(account__name=account_name, layout=layout).first()
    return kept.answers if kept else {}


def _remember(account_name: str, layout: str, answers: Mapping[str, str]) -> None:
    account = Account.objects.get(name=account_name)
    kept, _ = RememberedAnswers.objects.get_or_create(account=account, layout=layout, defaults={"answers": {}})
    kept.answers = {**kept.answers, **answers}
    kept.save()


def _import(
    filename: str, content: bytes, account_name: str, statement: Statement, user: User | None, dry_run: bool
) -> Outcome:
    account, created = _locked_account(account_name, statement.currency, create=not dry_run)
    digest = hashlib.sha256(content).hexdigest()
    statement = replace(statement, notes=(*statement.notes, *_doubts(statement, account, account_name, digest)))
    added = new_rows(statement.rows, _known(account, statement.rows))
    if added and account and not dry_run:
        _save(account, filename, content, digest, statement, added, user)
    return Outcome(filename, account_name, created, statement, added, dry_run)


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


def _save(
    account: Account,
    filename: str,
    content: bytes,
    digest: str,
    statement: Statement,
    added: Sequence[Row],
    user: User | None,
) -> None:
    kept, _ = StatementImport.objects.get_or_create(
        account=account,
        sha256=digest,
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
    from_file = Transaction.objects.filter(statement=kept).count()
    if from_file > kept.row_count:  # another part of a file of several accounts
        kept.row_count = from_file
        kept.save(update_fields=["row_count"])
