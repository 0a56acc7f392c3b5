"""The house's exit codes for management commands: 0 holds, 1 bad, 2 could not check, 64 usage.

A module of its own because Django ends wrong usage with 2 and an unreachable database with a traceback.
"""

import sys
from typing import Any, NoReturn

from django.core.management.base import BaseCommand
from django.db import InterfaceError, OperationalError

BAD, COULD_NOT_CHECK, USAGE = 1, 2, 64


def database_away(error: Exception) -> str | None:
    """The message of an error that means "no connection"; None where the server answered with an error of its own."""
    if getattr(error.__cause__, "sqlstate", None) is not None:
        return None
    reason = str(error).strip().splitlines()[0]
    return f"database: {reason}\nHINT: see that PostgreSQL is up (make status), then run this again"


class HouseCommand(BaseCommand):
    _running = False

    def run_from_argv(self, argv: list[str]) -> None:
        try:
            super().run_from_argv(argv)
        except SystemExit as end:
            # argparse ends with 2 only; a running command chose its own status.
            sys.exit(USAGE if end.code == 2 and not self._running else end.code)

    def execute(self, *args: Any, **options: Any) -> str | None:
        self._running = True
        try:
            return super().execute(*args, **options)
        except (OperationalError, InterfaceError) as error:
            reason = str(error).strip().splitlines()[0]
            self.stop(COULD_NOT_CHECK, "database", reason, "see that PostgreSQL is up: manage.py migrate --check")

    def stop(self, code: int, setting: str, fault: str, hint: str) -> NoReturn:
        """Writes `<setting>: <fault>` and a HINT, and ends with the exit status `code`."""
        self.stderr.write(f"{setting}: {fault}\nHINT: {hint}")
        sys.exit(code)
