"""Filters of playbook restore_smoke: statements that go in, figures that are compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

try:
    from ledgerflow.smoke import report, statements
except ModuleNotFoundError as error:
    # SystemExit, because Ansible reports other errors here as a warning and goes on without the filters.
    raise SystemExit(f"{__file__}: {error}\nHINT: scripts/bootstrap, then .venv/bin/ansible-playbook") from error


class FilterModule:
    """The filters, for Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name in playbooks → function."""
        return {
            "sample_statements": statements.sample_statements,
            "smoke_comparison": report.smoke_comparison,
            "smoke_markdown": report.smoke_markdown,
        }
