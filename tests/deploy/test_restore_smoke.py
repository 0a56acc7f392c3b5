"""The main job on a deployed stack: a statement becomes rows, a backup, a proof and the same rows again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools.kit.stacks import REPOSITORY, Stack

BANK_FILE = REPOSITORY.parent / "shared/data/statements/dcool_wells_fargo.csv"


def smoke(stack: Stack, directory: Path, **variables: object) -> tuple[int, dict[str, object], str]:
    verdict = directory / "restore_smoke.json"
    run = stack.play("restore_smoke", play_verdict_file=str(verdict), **variables)
    return run.status, json.loads(verdict.read_text()), run.text


def test_what_goes_in_comes_out_and_nothing_else_is_touched(stack: Stack, tmp_path: Path) -> None:
    before, rows = stack.containers(), stack.rows()
    status, told, text = smoke(stack, tmp_path)
    assert (status, told["verdict"]) == (0, "proven"), text[-3000:]
    figures = told["figures"]
    assert isinstance(figures, dict)
    assert figures["in"] == figures["out"]
    compared = {row["what"]: row for row in figures["compared"]}
    for counted in ("transactions", "with a statement", "with an account"):
        assert compared[counted]["out"] == 1666, counted
    assert (compared["first day"]["out"], compared["last day"]["out"]) == ("2024-12-01", "2025-04-30")
    assert 0 < compared["with a category"]["out"] < 1666
    assert compared["sources"]["out"] == "wellsfargo_bank_csv"
    assert {"amounts", "descriptions", "rows"} <= compared.keys()
    assert figures["large_objects"] in (1, "1")
    assert figures["again_added"] == "0" or figures["again_added"] == 0
    assert figures["known_bad"] == "failed"
    assert stack.rows() == rows
    assert stack.containers() == before
    assert "restore_smoke" not in stack.sql("SELECT string_agg(datname, ' ') FROM pg_database")


def test_a_row_deleted_from_the_restored_side_fails_and_names_the_table(stack: Stack, tmp_path: Path) -> None:
    status, told, text = smoke(stack, tmp_path, smoke_damage=True)
    assert status != 0
    assert told["verdict"] == "failed"
    assert "public.ledger_transaction" in json.dumps(told), text[-3000:]
    assert "restore_smoke" not in stack.sql("SELECT string_agg(datname, ' ') FROM pg_database")


@pytest.mark.skipif(not BANK_FILE.exists(), reason="the shared statements are not on this machine; until they are")
def test_a_real_statement_comes_back_to_the_cent(stack: Stack, tmp_path: Path) -> None:
    status, told, text = smoke(stack, tmp_path, backup_file=str(BANK_FILE))
    assert (status, told["verdict"]) == (0, "proven"), text[-3000:]
    figures = told["figures"]
    assert isinstance(figures, dict)
    assert figures["in"] == figures["out"] == "5|1178.50"
