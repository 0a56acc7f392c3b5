"""The journal: its chain of hashes and numbers, its stored head, its events, and the proof that decides."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ledgervault.model import (
    journal,
)
from ledgervault.model.journal import GENESIS, Line


def chain(number: int) -> list[Line]:
    text, lines = b"", []
    for place in range(number):
        line = journal.next_line(journal.parse_journal(text), f"t{place}", "backup", f"f{place}", "m", {"a": place})
        lines.append(line)
        text += journal.encode_line(line)
    return lines


def text_of(lines: list[Line], start: str = GENESIS) -> bytes:
    """Written anew with right hashes, so that only what is asked about is wrong."""
    text, head = b"", start
    for line in lines:
        encoded = journal.encode_line(replace(line, previous=head))
        head = journal.digest(encoded)
        text += encoded
    return text


def test_the_numbers_begin_at_one_and_grow_by_one() -> None:
    lines = chain(4)
    assert [line.seq for line in lines] == [1, 2, 3, 4]
    assert lines[0].previous == GENESIS
    assert [line.previous for line in lines[1:]] == [journal.digest(journal.encode_line(line)) for line in lines[:-1]]
    read = journal.parse_journal(text_of(lines))
    assert (list(read.lines), read.broken, read.torn) == (lines, None, 0)
    assert read.head == journal.digest(journal.encode_line(lines[-1]))


def test_the_next_number_follows_the_last_line_and_not_the_number_of_lines() -> None:
    known = journal.Journal((replace(chain(1)[0], seq=41),), "head")
    line = journal.next_line(known, "t", "removed", "f", None, {"b": 1})
    assert (line.seq, line.previous, line.event, line.file, line.data) == (42, "head", "removed", "f", {"b": 1})


@pytest.mark.parametrize(
    ("seqs", "place"),
    [([2, 3], 1), ([0, 1], 1), ([1, 1], 2), ([1, 3], 2), ([1, 2, 2], 3), ([1, 2, 1], 3), ([1, 2, 3, 5], 4)],
    ids=["begins at two", "begins at zero", "twice", "a gap", "twice at the end", "back", "a gap at the end"],
)
def test_a_wrong_number_breaks_the_chain_although_its_hashes_are_right(seqs: list[int], place: int) -> None:
    lines = [replace(line, seq=seq) for line, seq in zip(chain(len(seqs)), seqs, strict=True)]
    read = journal.parse_journal(text_of(lines))
    assert read.broken == f"line {place}: does not follow the line before it"
    assert [line.seq for line in read.lines] == seqs[: place - 1]
    assert read.head == (journal.digest(journal.encode_line(read.lines[-1])) if read.lines else GENESIS)


@pytest.mark.parametrize("place", [1, 2, 3])
@pytest.mark.parametrize("change", [{"time": "x"}, {"data": {"a": 9}}, {"file": "x"}, {"event": "removed"}])
def test_a_line_that_was_changed_breaks_the_chain_at_the_next_one(place: int, change: dict[str, Any]) -> None:
    lines = chain(4)
    lines[place - 1] = replace(lines[place - 1], **change)
    read = journal.parse_journal(b"".join(journal.encode_line(line) for line in lines))
    assert read.broken == f"line {place + 1}: does not follow the line before it"
    assert len(read.lines) == place


@pytest.mark.parametrize("left_out", [0, 1, 2])
def test_a_line_that_is_gone_breaks_the_chain(left_out: int) -> None:
    lines = chain(4)
    del lines[left_out]
    read = journal.parse_journal(b"".join(journal.encode_line(line) for line in lines))
    assert read.broken == f"line {left_out + 1}: does not follow the line before it"


def test_a_chain_that_does_not_begin_with_the_first_hash_is_broken() -> None:
    parsed = journal.parse_journal(text_of(chain(2), start="1" * 64))
    assert parsed.broken == "line 1: does not follow the line before it"


@pytest.mark.parametrize(("text", "torn"), [(b"", 0), (b"{", 1), (b'{"seq": 1', 9)])
def test_an_unfinished_last_line_is_counted_and_none_of_the_others_is_lost(text: bytes, torn: int) -> None:
    whole = text_of(chain(2))
    read = journal.parse_journal(whole + text)
    assert (len(read.lines), read.torn, read.broken) == (2, torn, None)
    assert read.head == journal.parse_journal(whole).head
    assert journal.parse_journal(text).lines == ()


def test_a_line_that_is_no_record_breaks_the_chain_there_with_its_number() -> None:
    read = journal.parse_journal(text_of(chain(2)) + b"{}\n" + b"half")
    assert (read.broken or "").startswith("line 3: ")
    assert (len(read.lines), read.torn) == (2, 4)


def test_lines_are_looked_up_by_file_and_event() -> None:
    first, second, third = chain(3)
    third = replace(third, file=first.file, event="proof")
    known = journal.Journal((first, second, third), "h")
    assert known.of(first.file) == [first, third]
    assert known.of(first.file, "proof") == [third]
    assert known.of("f9") == []
    assert known.backup_of(first.file) == first
    assert known.backup_of("f9") is None


def journal_text(*events: tuple[str, str, dict[str, Any]]) -> bytes:
    text = b""
    for event, file, data in events:
        text += journal.encode_line(journal.next_line(journal.parse_journal(text), "t", event, file, "m", data))
    return text


def test_a_chain_is_read_back_whole() -> None:
    text = journal_text(
        ("backup", "a", {}), ("proof", "a", {"level": "data", "verdict": "proven"}), ("removed", "a", {})
    )
    read = journal.parse_journal(text)
    assert (len(read.lines), read.broken, read.torn) == (3, None, 0)
    assert journal.removed_files(read.lines) == {"a"}
    assert read.backup_of("a") == read.lines[0]
    assert read.backup_of("b") is None


def test_every_way_to_alter_a_chain_breaks_it_at_the_line_that_follows() -> None:
    lines = journal_text(*[("backup", name, {"n": 1}) for name in "abcd"]).splitlines(keepends=True)
    altered = {
        "changed": [lines[0], lines[1].replace(b'"n":1', b'"n":2'), *lines[2:]],
        "removed": [lines[0], *lines[2:]],
        "swapped": [lines[0], lines[2], lines[1], lines[3]],
        "twice": [lines[0], lines[0], *lines[1:]],
        "not json": [lines[0], b"x\n", *lines[2:]],
        "beheaded": lines[1:],
    }
    for how, text in altered.items():
        assert journal.parse_journal(b"".join(text)).broken is not None, how
    assert journal.parse_journal(b"".join(lines)).broken is None


def test_an_unfinished_last_line_is_torn_not_broken() -> None:
    text = journal_text(("backup", "a", {}))
    read = journal.parse_journal(text + b'{"seq"')
    assert (len(read.lines), read.broken, read.torn) == (1, None, 6)
    assert journal.parse_journal(b"").head == journal.GENESIS


@pytest.mark.parametrize(
    ("proofs", "verdict"),
    [
        ([], None),
        ([("data", "proven")], "proven"),
        ([("data", "proven"), ("data", "failed")], "failed"),
        ([("data", "failed"), ("data", "proven")], "proven"),
        ([("data", "proven"), ("bytes", "failed")], "failed"),
        ([("data", "failed"), ("bytes", "proven")], "failed"),
        ([("bytes", "proven")], None),
        ([("data", "proven"), ("data", "inconclusive")], "proven"),
        ([("data", "failed"), ("data", "inconclusive")], "failed"),
        ([("data", "proven"), ("data", "inconclusive"), ("data", "failed")], "failed"),
        ([("data", "inconclusive"), ("data", "proven")], "proven"),
        ([("data", "inconclusive"), ("bytes", "proven")], "inconclusive"),
        ([("bytes", "inconclusive")], None),
    ],
)
def test_the_newest_proof_rules_and_bytes_alone_prove_nothing(
    proofs: list[tuple[str, str]], verdict: str | None
) -> None:
    text = journal_text(("backup", "a", {}), *[("proof", "a", {"level": lv, "verdict": v}) for lv, v in proofs])
    ruling = journal.find_ruling(journal.parse_journal(text).lines, "a")
    assert (ruling.data["verdict"] if ruling else None) == verdict


def valid_journal_text(*events: tuple[str, str, dict[str, Any]]) -> bytes:
    text = b""
    for event, file, data in events:
        text += journal.encode_line(
            journal.next_line(journal.parse_journal(text), "2025-04-22T12:00:00Z", event, file, "m", data)
        )
    return text


THREE = valid_journal_text(("backup", "a", {}), ("proof", "a", {}), ("removed", "a", {}))


def head(text: bytes) -> journal.Head:
    read = journal.parse_journal(text)
    return journal.Head(len(read.lines), read.head)


def test_the_kept_head_vouches_for_the_last_line() -> None:
    assert journal.head_problem(journal.parse_journal(THREE), head(THREE)) is None
    edited = THREE.replace(b'"event":"removed"', b'"event":"proof"')
    assert "line 3 is not the one that was written" in str(
        journal.head_problem(journal.parse_journal(edited), head(THREE))
    )
    cut = b"".join(THREE.splitlines(keepends=True)[:2])
    assert "2 lines, 3 were written" in str(journal.head_problem(journal.parse_journal(cut), head(THREE)))
    assert journal.head_problem(journal.parse_journal(THREE), head(cut)) is None, (
        "a writer killed before it kept the head"
    )
    assert journal.head_problem(journal.parse_journal(edited), head(cut)) is None
    assert journal.head_problem(journal.parse_journal(THREE), journal.Head(2, "x" * 64)) is not None


def test_lines_of_the_first_schema_are_written_as_ever_and_later_events_name_theirs() -> None:
    assert b"schema" not in THREE
    later = valid_journal_text(("accepted", "a", {"reason": "x"}), ("forgotten", "a", {"reason": "y"}))
    assert later.count(b'"schema":2') == 2
    read = journal.parse_journal(later)
    assert (read.broken, read.newer) == (None, None)
    assert (journal.accepted_lines(read.lines)["a"].data, journal.forgotten_lines(read.lines)["a"].data) == (
        {"reason": "x"},
        {"reason": "y"},
    )


@pytest.mark.parametrize(
    "edit",
    [
        (b'"event":"removed"', b'"event":"merged"'),
        (b'"seq":3', b'"schema":4,"seq":3'),
        (b'"seq":3', b'"schema":9,"unheard":1,"seq":3'),
    ],
)
def test_a_line_of_a_later_version_is_newer_not_broken(edit: tuple[bytes, bytes]) -> None:
    read = journal.parse_journal(THREE.replace(*edit))
    assert read.broken is None
    assert "line 3" in str(read.newer) and "written by a newer ledgervault" in str(read.newer)


BACKUP: dict[str, Any] = {
    "kind": "db", "tier": "hourly", "size": 1, "sha256": "x", "taken": "2025-04-22 12:00:00+00", "rows": 1, "tables": 1,
    "watched": {}, "environment": "ci", "database": "l",
}  # fmt: skip


@pytest.mark.parametrize(
    ("event", "data", "told"),
    [
        ("backup", BACKUP, None),
        ("backup", {**BACKUP, "size": "1"}, "size is '1', expected int"),
        ("backup", {**BACKUP, "tier": "never"}, "unknown tier 'never'"),
        ("backup", {**BACKUP, "taken": "noon"}, "Invalid isoformat string"),
        ("backup", {**BACKUP, "taken": "2025-04-22 12:00:00"}, "is in no time zone"),
        ("backup", {}, "kind is None"),
        ("proof", {"level": "data"}, "verdict is None"),
        ("accepted", {}, "reason is None"),
    ],
)
def test_a_line_that_lacks_what_its_event_must_say_breaks_the_journal(
    event: str, data: dict[str, Any], told: str | None
) -> None:
    read = journal.check_line_data(journal.parse_journal(valid_journal_text((event, "a", data))))
    assert (told is None and read.broken is None) or str(told) in str(read.broken)
