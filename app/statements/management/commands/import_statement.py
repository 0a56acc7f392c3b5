"""`manage.py import_statement FILE --account A [--dry-run] [--json]`: the same import as the upload page."""

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from config.commands import BAD, COULD_NOT_CHECK, USAGE, HouseCommand
from ledger.models import Account
from statements.importing import Outcome, Refused, import_file

SHOWN_PROBLEMS = 20


class Command(HouseCommand):
    help = "Import a bank statement. Exit status: 0 imported, 1 the file is bad, 2 could not be done, 64 wrong usage."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="the bank's file; - reads standard input")
        parser.add_argument("--account", required=True, help="name of the account; created if it is new")
        parser.add_argument("--filename", default="", help="name to remember the file by")
        parser.add_argument("--dry-run", action="store_true", help="say what would be added, write nothing")
        parser.add_argument("--json", action="store_true", dest="as_json", help="answer as one JSON object")

    def handle(self, *, file: str, account: str, filename: str, dry_run: bool, as_json: bool, **_: Any) -> None:
        longest = Account._meta.get_field("name").max_length or 0
        if not account.strip() or len(account) > longest:
            hint = f"give a name of 1 to {longest} characters"
            self.stop(USAGE, "--account", f"not a name, value seen {account!r}", hint)
        name = filename or ("standard input" if file == "-" else Path(file).name)
        content = self._content(file)
        try:
            outcome = import_file(name[-255:], content, account.strip(), dry_run=dry_run)
        except Refused as refusal:
            self._refuse(refusal, as_json)
        self.stdout.write(json.dumps(as_dict(outcome)) if as_json else as_text(outcome))

    def _content(self, file: str) -> bytes:
        try:
            return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        except OSError as error:
            self.stop(COULD_NOT_CHECK, file, f"cannot be read: {error.strerror}", "check the path and its permissions")

    def _refuse(self, refusal: Refused, as_json: bool) -> None:
        if as_json:
            problems = [{"line": problem.line, "what": problem.what} for problem in refusal.problems]
            self.stdout.write(json.dumps({"file": refusal.filename, "added": 0, "problems": problems}))
        for problem in refusal.problems[:SHOWN_PROBLEMS]:
            self.stderr.write(problem.at(refusal.filename))
        more = len(refusal.problems) - SHOWN_PROBLEMS
        if more > 0:
            self.stderr.write(f"… and {more} more")
        self.stderr.write("HINT: nothing was saved; correct these lines, or export the file from the bank again")
        sys.exit(BAD)


def as_dict(outcome: Outcome) -> dict[str, Any]:
    """Amounts are text, so that no reader makes a binary fraction of them."""
    days = [row.date for row in outcome.statement.rows]
    return {
        "file": outcome.filename,
        "account": outcome.account,
        "account_created": outcome.account_created,
        "source": outcome.statement.source,
        "rows": len(outcome.statement.rows),
        "sum": f"{outcome.statement.total:.2f}" if _cents(outcome) else f"{outcome.statement.total:f}",
        "added": len(outcome.added),
        "added_sum": f"{outcome.added_total:.2f}" if _cents(outcome) else f"{outcome.added_total:f}",
        "already_there": outcome.already_there,
        "first_date": min(days).isoformat(),
        "last_date": max(days).isoformat(),
        "dry_run": outcome.dry_run,
    }


def as_text(outcome: Outcome) -> str:
    facts = as_dict(outcome)
    verb = "would be added" if outcome.dry_run else "added"
    new = " (new account)" if outcome.account_created else ""
    return (
        f"{facts['file']}: {facts['rows']} transactions, sum {facts['sum']}, {facts['first_date']} to "
        f"{facts['last_date']} ({facts['source']})\n"
        f"account {outcome.account!r}{new}: {facts['added']} {verb}, sum {facts['added_sum']}; "
        f"{facts['already_there']} already there"
    )


def _cents(outcome: Outcome) -> bool:
    return all(row.amount == round(row.amount, 2) for row in outcome.statement.rows)
