"""What counts as passed, failed and skipped."""

from __future__ import annotations

from pathlib import Path

from tools import junit
from tools.junit import Counts


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    file = tmp_path / "results/some.xml"
    junit.write(file, "some", [("a", 0.1, ""), ("b", 0.2, "wrong\x1b[0m\nvery"), ("c", 0.3, "")])
    assert junit.read(file) == Counts(passed=2, failed=1, failures=("some.b: wrong?[0m",))


def test_a_missing_broken_or_empty_report_is_a_failure(tmp_path: Path) -> None:
    assert junit.read(tmp_path / "none.xml") == Counts(failed=1)
    (tmp_path / "broken.xml").write_text("<testsuite><testcase")
    assert junit.read(tmp_path / "broken.xml") == Counts(failed=1)
    junit.write(tmp_path / "empty.xml", "none", [])
    assert junit.read(tmp_path / "empty.xml") == Counts(failed=1)


def test_an_error_in_a_fixture_is_a_failure_and_a_skip_keeps_its_reason(tmp_path: Path) -> None:
    file = tmp_path / "pytest.xml"
    file.write_text(
        '<testsuites><testsuite><testcase name="a"><error message="x"/></testcase><testcase name="b"/>'
        '<testcase name="c"><skipped message="no data"/></testcase></testsuite></testsuites>'
    )
    assert junit.read(file) == Counts(passed=1, failed=1, skipped=("c: no data",), failures=(".a: x",))


def test_counts_add_up() -> None:
    assert Counts(1, 2, ("a",), ("x",)) + Counts(3, 4, ("b",), ("y",)) == Counts(4, 6, ("a", "b"), ("x", "y"))
