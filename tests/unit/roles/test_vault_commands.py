"""What the playbooks ask of the vault is what the engine's guard lets be run inside it, and nothing beyond that."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from jinja2.nativetypes import NativeEnvironment

from ledgerguard.rules.exec_patterns import words_match

ROOT = Path(__file__).resolve().parents[3]
PATTERNS = [
    tuple(entry["argv"]) for entry in yaml.safe_load((ROOT / "roles/vault/defaults/main.yml").read_text())["vault_exec"]
]


def is_allowed(command: str) -> bool:
    argv = tuple(word.replace("_", " ") for word in f"ledgervault {command}".split())
    return any(words_match(argv, pattern) for pattern in PATTERNS)


@pytest.mark.parametrize(
    "command",
    [
        "verify-data --json",
        "verify-data --file latest --json",
        "audit --json",
        "accept newest --reason it_was_meant --json",
        "forget ledgerflow.sql.gz --reason the_clock_was_ahead --json",
    ],
)
def test_the_vaults_commands_may_be_run_under_the_guard(command: str) -> None:
    assert is_allowed(command)


@pytest.mark.parametrize(
    "command",
    [
        "verify-data --file --config --json",
        "accept newest --json",
        "accept newest --reason --no-record --json",
        "accept newest --reason it_was_meant --json --config /tmp/x",
        "--config /tmp/x accept newest --reason x --json",
        "forget a b --reason x --json",
        "audit --json --more",
        "prune",
    ],
)
def test_what_differs_from_them_by_a_word_may_not(command: str) -> None:
    assert not is_allowed(command)


@pytest.mark.parametrize("playbook", ["accept", "forget", "audit", "verify_data", "prove", "verify_backup"])
@pytest.mark.parametrize("file", ["ledgerflow_db_backup_20250422_120000.sql.gz", ""])
def test_each_playbook_asks_what_the_guard_allows(playbook: str, file: str) -> None:
    """Its question with what make gives, as `docker exec` would send it."""
    tasks = yaml.safe_load((ROOT / f"playbooks/{playbook}.yml").read_text())[0]["tasks"]
    question = tasks[0]["vars"]["vault_question"]
    given = {"backup_file": file or "newest", "backup_reason": "it was meant"}
    if playbook not in ("accept", "forget"):
        given["backup_file"] = file
    native = NativeEnvironment(autoescape=False)
    words = native.from_string(question).render(given) if isinstance(question, str) else question
    argv = ["ledgervault", *(str(native.from_string(word).render(given)) for word in words), "--json"]
    assert any(words_match(tuple(argv), pattern) for pattern in PATTERNS), argv
