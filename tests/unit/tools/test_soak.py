"""What a soak remembers, and its table."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tools import soak
from tools.soak import Outcome

GOOD, BAD = Outcome(100, 0, 12.0, "2026-11-20"), Outcome(9, 1, 49.0, "2026-11-20")


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak, "RECORD", tmp_path / "soak.json")
    monkeypatch.setattr(soak, "DOCUMENT", tmp_path / "soak.md")
    (tmp_path / "soak.md").write_text(f"above\n{soak.START}\nold\n{soak.END}\nbelow\n")


def test_only_what_passed_at_this_very_commit_is_not_run_again() -> None:
    assert soak.passed_before("a") == {}
    soak.record("a", {"vault kills": GOOD, "kills": BAD})
    assert soak.passed_before("a") == {"vault kills": GOOD}
    assert soak.passed_before("b") == soak.passed_before(None) == {}
    soak.record("a", {"kills": GOOD})
    assert set(soak.passed_before("a")) == {"vault kills", "kills"}
    soak.record(None, {"kills": GOOD})
    assert soak.passed_before(None) == {}


def test_a_record_that_cannot_be_read_remembers_nothing() -> None:
    for text in ("", "[]", '{"commit": "a"}', '{"commit": "a", "parts": {"kills": {"passed": 1}}}'):
        soak.RECORD.write_text(text)
        assert soak.passed_before("a") == {}


def test_the_table_stands_between_its_markers_and_says_what_did_not_hold_or_run() -> None:
    soak.record("a", {"vault kills": GOOD, "kills": BAD})
    text = soak.DOCUMENT.read_text()
    assert text.startswith(f"above\n{soak.START}\n| part ")
    assert text.endswith(f"{soak.END}\nbelow\n")
    assert "| 100 | 0 | 12 | 2026-11-20 |" in text
    assert "| 9 | **1** | 49 | 2026-11-20 |" in text
    assert "reduced |" in text
    assert "not run" in text


def test_a_row_of_another_commit_stays_with_its_day_until_its_part_runs_again() -> None:
    soak.record("a", {"vault kills": GOOD})
    soak.record("b", {"kills": BAD})
    rows = [line for line in soak.DOCUMENT.read_text().splitlines() if "2026-11-20" in line]
    assert [row.split("|")[1].strip() for row in rows] == ["kills", "vault kills"]
    assert "| 100 | 0 |" in rows[1]


def test_every_part_of_the_soak_has_its_row() -> None:
    from tools.runner import parts

    ground = {part.name for part in parts.ground()}
    assert {part.name for part in parts.soak_parts()} - ground == set(soak.WHAT)


def test_the_nightly_workflow_runs_every_part_of_the_soak() -> None:
    workflow = yaml.safe_load((soak.ROOT / ".github/workflows/soak.yml").read_text())
    assert sorted(workflow["jobs"]["soak"]["strategy"]["matrix"]["part"]) == sorted(soak.WHAT)
