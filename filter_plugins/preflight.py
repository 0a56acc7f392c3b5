"""Filters that refuse a run before anything changes: checklists, contacts, partial runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

try:
    from ledgerflow.preflight import checklist, contacts, runs
except ModuleNotFoundError as error:
    # SystemExit, because Ansible reports other errors here as a warning and goes on without the filters.
    raise SystemExit(f"{__file__}: {error}\nHINT: scripts/bootstrap, then .venv/bin/ansible-playbook") from error


class FilterModule:
    """The filters, for Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name in playbooks → function."""
        return {
            "contact_findings": contacts.contact_findings,
            "findings_by_volume": checklist.findings_by_volume,
            "preflight_lines": checklist.preflight_lines,
            "preflight_text": checklist.preflight_text,
            "preflight_verdict": checklist.preflight_verdict,
            "program_answer": checklist.program_answer,
            "single_host": runs.single_host,
            "whole_run": runs.whole_run,
        }
