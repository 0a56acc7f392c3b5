"""`make restore` on a deployed stack, by its runbook: rows come back, and nothing that was live goes."""

from __future__ import annotations

import json
import shlex
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from ledgerflow.play import request, rights
from tests.runbooks import Runbook
from tools.kit.stacks import Run, Stack

PAGE = "restore.md"
MANY = 40
pytestmark = pytest.mark.timeout(1500)  # a dozen plays in one test; the default is for less
Make = Callable[[str], Run]


@pytest.fixture
def make(stack: Stack, tmp_path: Path) -> Make:
    """Runs a line of the runbook as make does, on this test's stack."""

    def run(line: str) -> Run:
        words = shlex.split(line)
        assert words[0] == "make", line
        variables = dict(word.split("=", 1) for word in words[2:]) | {"ENV": stack.environment}
        asked = request.read_request([words[1].replace("-", "_")], variables)
        values = request.playbook_variables(asked, rights.Decision(), tmp_path)
        return stack.play(asked.playbook, **values)

    return run


def databases(stack: Stack) -> list[str]:
    return stack.sql("SELECT datname FROM pg_database WHERE datname LIKE 'ledger%' ORDER BY 1").splitlines()


def kept(stack: Stack) -> list[str]:
    return [name for name in databases(stack) if "_before_" in name]


def serves(stack: Stack) -> None:
    """The page that needs the database answers."""
    with urllib.request.urlopen(stack.url(path="/readyz"), timeout=20) as answer:
        assert answer.status == 200


def well(run: Run) -> None:
    assert run.status == 0, run.text[-5000:]


def figures(directory: Path, target: str) -> dict[str, object]:
    told = json.loads((directory / f"{target}.json").read_text())
    assert told["verdict"] == "holds"
    return dict(told["figures"])


def leaves_nothing_half_made(stack: Stack) -> None:
    assert not [name for name in databases(stack) if "_restored_" in name]
    assert not [name for name in stack.containers() if "restore" in name]
    assert not [*stack.config.glob("*restore*")], "files or secrets of the one-off containers"
    assert not [*(stack.config / "state/declarations").glob("*restore*")]


def with_many_rows(stack: Stack) -> list[str]:
    """A proven backup of many more rows than the stack had, which are deleted then; all rows of the backup."""
    for number in range(MANY):
        stack.sql(
            "INSERT INTO ledger_transaction SELECT (jsonb_populate_record(t, jsonb_build_object('id', "
            f"t.id + 1000 + {number}, 'description', 'many {number}'))).* FROM ledger_transaction t ORDER BY id LIMIT 1"
        )
    well(stack.play("backup"))
    rows = stack.rows()
    forget_many(stack)
    assert len(rows) == len(stack.rows()) + MANY
    return rows


def forget_many(stack: Stack) -> None:
    stack.sql("DELETE FROM ledger_transaction WHERE description LIKE 'many%'")


def test_deleted_rows_come_back_and_what_was_live_is_kept(stack: Stack, make: Make, tmp_path: Path) -> None:
    rows = with_many_rows(stack)
    first = len(stack.rows())
    (restore,) = Runbook(PAGE).under("2. Restore")
    with stack.requests() as seen:
        well(make(restore.strip()))
    switched = figures(tmp_path, "restore")
    assert stack.rows() == rows
    assert switched["rows_after"]["public.ledger_transaction"] == first + MANY  # type: ignore[index]
    assert switched["rows_before"]["public.ledger_transaction"] == first  # type: ignore[index]
    assert float(str(switched["seconds_refused"])) < 15
    assert len(seen.failed) <= 10, seen.failed
    assert "_pre_restore_backup_" in str(switched["safety"])
    (before,) = kept(stack)
    assert stack.sql("SELECT count(*) FROM ledger_transaction", before) == str(first)
    stack.wait_until_healthy()
    serves(stack)
    leaves_nothing_half_made(stack)
    forget_many(stack)
    stack.sql(f'DROP DATABASE "{before}"', "postgres")
    accept_the_loss(stack)


def accept_the_loss(stack: Stack) -> None:
    """The rows that the test added are gone for good: other tests of this stack must not hear of it."""
    well(stack.play("backup"))
    well(stack.play("accept", backup_file="newest", backup_reason="the test is over"))


@pytest.mark.soak
def test_the_runbook_from_the_plan_to_a_damaged_database(stack: Stack, make: Make, tmp_path: Path) -> None:
    page = Runbook(PAGE)
    rows = with_many_rows(stack)
    first = len(stack.rows())
    (plan,) = page.under("1. Look at the plan")
    run = make(plan.strip())
    well(run)
    assert f"comes back: {MANY}" in run.text
    assert kept(stack) == [], "a dry run changes nothing"
    assert len(stack.rows()) == first

    (restore,) = page.under("2. Restore")
    well(make(restore.strip()))
    assert stack.rows() == rows
    (before,) = kept(stack)
    for line in "".join(page.under("3. Check")).splitlines():
        well(make(line))
    status = (tmp_path / f"status-{stack.environment}.txt").read_text()
    assert before in status, "what is kept is listed"

    (undo,) = page.under("Undo")
    time.sleep(1.1)  # names hold seconds
    well(make(undo.strip()))
    assert len(stack.rows()) == first
    assert len(kept(stack)) == 1
    serves(stack)
    assert stack.play("verify_data").status != 0, "what was lost before the restore is lost again, and said"
    time.sleep(1.1)
    well(stack.play("restore_undo"))
    assert stack.rows() == rows

    (drop,) = page.under("Drop what is kept")
    (last,) = kept(stack)
    line = drop.strip().replace("ledger_before_20260102_030405", last)
    refused = make(f"{line} CONFIRM={stack.environment}")
    assert refused.status != 0, "that is not its name"
    assert kept(stack) == [last]
    well(make(f"{line} CONFIRM={last}"))
    assert kept(stack) == []

    forget_many(stack)
    (damaged,) = page.under("The live database is damaged")
    stack.sql("ALTER SCHEMA public RENAME TO gone")
    refused = make(restore.strip())
    assert refused.status != 0, "no safety backup of an empty database"
    assert "FORCE=1" in refused.text
    assert kept(stack) == []
    well(make(damaged.strip()))
    assert stack.rows() == rows
    (last,) = kept(stack)
    assert stack.sql("SELECT count(*) FROM gone.ledger_transaction", last) == str(first)
    leaves_nothing_half_made(stack)
    assert page.not_asked_for() == []

    forget_many(stack)
    well(make(f"make restore-drop NAME={last} CONFIRM={last}"))
    accept_the_loss(stack)
    stack.wait_until_healthy()
