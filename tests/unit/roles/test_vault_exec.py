"""What the engine's guard lets be run inside the vault: the commands of our targets, and nothing beside them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ledgerguard.rules.exec_patterns import words_match

ROLE = Path(__file__).parents[3] / "roles/vault"
PATTERNS = [tuple(entry["argv"]) for entry in yaml.safe_load((ROLE / "defaults/main.yml").read_text())["vault_exec"]]
READY = yaml.safe_load((ROLE / "vars/main.yml").read_text())["__vault_description"]["ready"]


def granted(command: str) -> bool:
    return any(words_match(tuple(command.split()), pattern) for pattern in PATTERNS)


@pytest.mark.parametrize(
    "command",
    [
        "ledgervault prune --json",
        "ledgervault prune --dry-run --json",
        "ledgervault health --json",
        "ledgervault verify-data --json",
        "ledgervault prove newest --json",
    ],
)
def test_what_our_targets_ask_is_granted(command: str) -> None:
    assert granted(command)


@pytest.mark.parametrize(
    "command",
    [
        "ledgervault --config /tmp/x prune --json",
        "ledgervault prune --json --config /tmp/x",
        "ledgervault prune --force --json",
        "ledgervault prune latest --json",
        "ledgervault health --heartbeat --config /tmp/x",
        "ledgervault restore latest --into-database x --create",
        "rm -rf /backups/data",
    ],
)
def test_what_none_of_them_asks_is_not(command: str) -> None:
    assert not granted(command)


def test_what_a_deploy_waits_for_is_granted() -> None:
    assert granted(" ".join(READY))
    assert READY == ["ledgervault", "health", "--heartbeat"]
