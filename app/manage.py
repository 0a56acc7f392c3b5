#!/usr/bin/env python3
"""Entry to Django's commands. What may not run unasked is in config/command_guard.py, which every entry meets."""

import os
import sys

from django.core.management import execute_from_command_line


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
