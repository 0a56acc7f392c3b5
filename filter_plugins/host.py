"""Filters that decide about a host: its engine, its guard, its package sources, its resources."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

try:
    from ledgerflow.host import apt_suites, engine, guard, readiness
except ModuleNotFoundError as error:
    # SystemExit, because Ansible reports other errors here as a warning and goes on without the filters.
    raise SystemExit(f"{__file__}: {error}\nHINT: scripts/bootstrap, then .venv/bin/ansible-playbook") from error


class FilterModule:
    """The filters, for Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name in playbooks → function."""
        return {
            "debian_suite_sources": apt_suites.debian_suite_sources,
            "engine_mode": engine.engine_mode,
            "engine_place": engine.engine_place,
            "engine_plan": engine.engine_plan,
            "engine_plugins": engine.asked_plugins,
            "engine_unanswered_text": engine.unanswered_text,
            "engine_unapplied": engine.unapplied_options,
            "guard_check_command": guard.guard_check_command,
            "guard_check_text": guard.check_text,
            "guard_command": guard.guard_command,
            "guard_data_root": guard.data_root,
            "guard_engine_fault": guard.engine_fault,
            "guard_faults": guard.guard_faults,
            "guard_foreign_declaration": guard.foreign_declaration,
            "guard_mode": guard.guard_mode,
            "guard_plan": guard.guard_plan,
            "guard_shell_command": guard.shell_command,
            "guard_grant_errors": guard.grant_errors,
            "guard_unit_command": guard.unit_command,
            "guard_volumes_to_unlock": guard.volumes_to_unlock,
            "guard_without_stack": guard.without_stack,
            "guard_without_volumes": guard.without_volumes,
            "guard_would_refuse_lines": guard.would_refuse_lines,
            "host_findings": readiness.host_findings,
            "port_findings": readiness.port_findings,
            "provided_secret_findings": readiness.provided_secret_findings,
            "secret_findings": readiness.secret_findings,
            "weak_secret_findings": readiness.weak_secret_findings,
        }
