#!/usr/bin/env python3
"""Entry to Django's commands. What may not run unasked is in config/command_guard.py, which every entry meets."""

import os
import sys

from django.core.management import execute_from_command_line
from django.db import InterfaceError, OperationalError

from config.commands import COULD_NOT_CHECK, database_away


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        execute_from_command_line(sys.argv)
    except (OperationalError, InterfaceError) as error:
        if (message := database_away(error)) is None:
            raise
        print(message, file=sys.stderr)
        sys.exit(COULD_NOT_CHECK)


if __name__ == "__main__":
    main()
