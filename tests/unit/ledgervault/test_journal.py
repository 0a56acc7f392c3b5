"""The journal's numbering: each line has the next number and the hash of the one before, and a gap is named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ledgervault.model import journal
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
