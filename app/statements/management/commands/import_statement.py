"""`manage.py import_statement FILE --account A [--dry-run] [--json]`: the same import as the upload page.

The questions that a file leaves open are printed; the answers are given with `--answer KEY=CHOICE`.
"""

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from django.conf import settings
from django.core.management.base import CommandParser

from config.commands import BAD, COULD_NOT_CHECK, USAGE, HouseCommand
from ledger.models import Account
from statements.importing import Outcome, Refused, import_file
from statements.reading.asking import KEYS, Asked, is_key
from statements.reading.parsing import Problem, money

SHOWN_PROBLEMS = 20


class Command(HouseCommand):
    help = (
        "Import a bank statement in CSV. Exit status: 0 imported, 1 the file is bad, 2 it leaves a question open or "
        "could not be read, 64 wrong usage."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="the bank's file; - reads standard input")
        parser.add_argument("--account", required=True, help="name of the account; created if it is new")
        parser.add_argument("--filename", default="", help="name to remember the file by")
        parser.add_argument(
            "--answer", action="append", default=[], metavar="KEY=CHOICE", help="answer to a question; may be repeated"
        )
        parser.add_argument(
            "--skip-bad-rows", action="store_true", help="import the good rows of a file that has unreadable ones"
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would be added, write nothing")
        parser.add_argument("--json", action="store_true", dest="as_json", help="answer as one JSON object")

    def handle(self, *, file: str, account: str, filename: str, as_json: bool, **options: Any) -> None:
        longest = Account._meta.get_field("name").max_length or 0
        if not account.strip() or len(account) > longest:
            hint = f"give a name of 1 to {longest} characters"
            self.stop(USAGE, "--account", f"not a name, value seen {account!r}", hint)
        answers = self._answers(options["answer"])
        name = filename or ("standard input" if file == "-" else Path(file).name)
        content = self._content(file, name, as_json)
        dry_run, skip = options["dry_run"], options["skip_bad_rows"]
        try:
            outcome = import_file(
                name[-255:], content, account.strip(), answers=answers, skip_bad_rows=skip, dry_run=dry_run
            )
        except Refused as refusal:
            self._refuse(refusal, as_json)
        except Asked as asked:
            again = ["manage.py", "import_statement", file, "--account", account, *_flags(filename, answers, options)]
            self._ask(asked, again, as_json)
        self.stdout.write(json.dumps(as_dict(outcome)) if as_json else as_text(outcome))

    def _answers(self, arguments: Sequence[str]) -> dict[str, str]:
        answers = {}
        for argument in arguments:
            key, equals, choice = argument.partition("=")
            if not equals or not is_key(key):
                hint = f"write --answer KEY=CHOICE; keys are {', '.join(KEYS)}"
                self.stop(USAGE, "--answer", f"not an answer, value seen {argument!r}", hint)
            answers[key] = choice
        return answers

    def _content(self, file: str, name: str, as_json: bool) -> bytes:
        most = settings.STATEMENT_MAX_BYTES
        try:
            with nullcontext(sys.stdin.buffer) if file == "-" else Path(file).open("rb") as source:
                content = source.read(most + 1)
        except OSError as error:
            self.stop(COULD_NOT_CHECK, file, f"cannot be read: {error.strerror}", "check the path and its permissions")
        if len(content) > most:
            fault = f"has more than {most} bytes, which is the most that is read"
            self._write_refusal(Refused(name, [Problem(0, fault)]), as_json)
            self.stop(BAD, file, fault, "export a shorter period, or set STATEMENT_MAX_MB higher")
        return content

    def _ask(self, pending: Asked, again: Sequence[str], as_json: bool) -> NoReturn:
        if as_json:
            questions = [asdict(question) for question in pending.questions]
            left_out = [asdict(line) for line in pending.left_out]
            facts = {"file": pending.filename, "added": 0, "questions": questions, "left_out": left_out}
            self.stdout.write(json.dumps(facts))
        for line in pending.left_out:
            self.stderr.write(line.at(pending.filename))
        first: list[str] = []
        for question in pending.questions:
            self.stderr.write(f"{pending.filename}: {question.text}")
            first += _answer(question.key, question.choices[0].value)
            for choice in question.choices:
                self.stderr.write(f"  {shlex.join(_answer(question.key, choice.value))}   {choice.label}")
        command = shlex.join([*again, *(["--json"] if as_json else []), *first])
        self.stderr.write(f"HINT: nothing was saved; answer and run it again, such as: {command}")
        sys.exit(COULD_NOT_CHECK)

    def _refuse(self, refusal: Refused, as_json: bool) -> NoReturn:
        self._write_refusal(refusal, as_json)
        for problem in refusal.problems[:SHOWN_PROBLEMS]:
            self.stderr.write(problem.at(refusal.filename))
        more = len(refusal.problems) - SHOWN_PROBLEMS
        if more > 0:
            self.stderr.write(f"… and {more} more")
        good = f", or import the other {refusal.good_rows} with --skip-bad-rows" if refusal.good_rows else ""
        lines = any(problem.line for problem in refusal.problems)
        mend = "correct these lines" if lines else "leave --answer out to be asked"
        self.stderr.write(f"HINT: nothing was saved; {mend}, or export the file from the bank again as CSV{good}")
        sys.exit(BAD)

    def _write_refusal(self, refusal: Refused, as_json: bool) -> None:
        if as_json:
            problems = [asdict(problem) for problem in refusal.problems]
            facts = {"file": refusal.filename, "added": 0, "good_rows": refusal.good_rows, "problems": problems}
            self.stdout.write(json.dumps(facts))


def _flags(filename: str, answers: Mapping[str, str], options: Mapping[str, Any]) -> list[str]:
    """The arguments besides file and account, so that the command in a hint does the same and no answer is lost."""
    flags = ["--filename", filename] if filename else []
    flags += [f"--{switch.replace('_', '-')}" for switch in ("skip_bad_rows", "dry_run") if options[switch]]
    for key, choice in answers.items():
        flags += _answer(key, choice)
    return flags


def _answer(key: str, choice: str) -> list[str]:
    return ["--answer", f"{key}={choice}"]


def as_dict(outcome: Outcome) -> dict[str, Any]:
    """Amounts are text, so that no reader makes a binary fraction of them; dates are null where there are no rows."""
    days: list[str | None] = [*sorted(row.date.isoformat() for row in outcome.statement.rows)] or [None]
    return {
        "file": outcome.filename,
        "account": outcome.account,
        "account_created": outcome.account_created,
        "own_account": outcome.statement.own_account or None,
        "source": outcome.statement.source,
        "rows": len(outcome.statement.rows),
        "sum": money(outcome.statement.total),
        "added": len(outcome.added),
        "added_sum": money(outcome.added_total),
        "already_there": outcome.already_there,
        "first_date": days[0],
        "last_date": days[-1],
        "dry_run": outcome.dry_run,
        "problems": [asdict(problem) for problem in outcome.statement.problems],
        "notes": list(outcome.statement.notes),
        "left_out": [asdict(line) for line in outcome.statement.left_out],
    }


def as_text(outcome: Outcome) -> str:
    facts = as_dict(outcome)
    notes = [f"{outcome.filename}: {note}" for note in outcome.statement.notes]
    notes += [line.at(outcome.filename) for line in outcome.statement.left_out]
    notes += [problem.at(outcome.filename) for problem in outcome.statement.problems]
    if not outcome.statement.rows:
        return "\n".join([*notes, f"{outcome.filename}: 0 transactions, nothing was saved"])
    verb = "would be added" if outcome.dry_run else "added"
    new = " (new account)" if outcome.account_created else ""
    summary = (
        f"{facts['file']}: {facts['rows']} transactions, sum {facts['sum']}, {facts['first_date']} to "
        f"{facts['last_date']} ({facts['source']})\n"
        f"account {outcome.account!r}{new}: {facts['added']} {verb}, sum {facts['added_sum']}; "
        f"{facts['already_there']} already there{'; dry run: nothing was saved' if outcome.dry_run else ''}"
    )
    return "\n".join([*notes, summary])
