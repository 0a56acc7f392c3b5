"""The reader of the engine's volume database: trees, long values, torn meta pages, damage, changes meanwhile."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from ledgerguard.lookups import bolt_file
from ledgerguard.lookups.bolt_file import BRANCH, BUCKET, LEAF, MAGIC, META, BoltError, BucketReader, fnv1a

SIZE = 4096
BUCKET_NAME = b"volumes"


def meta(number: int, root: int, transaction: int, pages: int, size: int = SIZE) -> bytes:
    fields = struct.pack("<IIIIQQQQQ", MAGIC, 2, size, 0, root, 0, 2, pages, transaction)
    page = struct.pack("<QHHI", number, META, 0, 0) + fields + struct.pack("<Q", fnv1a(fields))
    return page.ljust(size, b"\0")


def leaf(number: int, items: list[tuple[int, bytes, bytes]], size: int = SIZE) -> bytes:
    head, content, at = b"", b"", len(items) * 16
    for index, (flags, key, value) in enumerate(items):
        head += struct.pack("<IIII", flags, at + len(content) - index * 16, len(key), len(value))
        content += key + value
    whole = 16 + len(head) + len(content)
    overflow = max(0, -(-whole // size) - 1)
    page = struct.pack("<QHHI", number, LEAF, len(items), overflow) + head + content
    return page.ljust(size * (overflow + 1), b"\0")


def branch(number: int, below: list[int], size: int = SIZE) -> bytes:
    elements = b"".join(struct.pack("<IIQ", 0, 0, page) for page in below)
    return (struct.pack("<QHHI", number, BRANCH, len(below), 0) + elements).ljust(size, b"\0")


def free(number: int, size: int = SIZE) -> bytes:
    return struct.pack("<QHHI", number, 0x10, 0, 0).ljust(size, b"\0")


def database(items: dict[bytes, bytes], size: int = SIZE, first: int = 4, second: int = 5) -> bytes:
    """Two meta pages, a root with one bucket, a branch over two leaves."""
    halves = [list(items.items())[:2], list(items.items())[2:]]
    one = leaf(5, [(0, *pair) for pair in halves[0]], size)
    next_page = 5 + len(one) // size
    two = leaf(next_page, [(0, *pair) for pair in halves[1]], size)
    pages = next_page + len(two) // size
    root = leaf(
        3, [(BUCKET, BUCKET_NAME, struct.pack("<QQ", 4, 0)), (BUCKET, b"other", struct.pack("<QQ", 3, 0))], size
    )
    metas = meta(0, 3, first, pages, size) + meta(1, 3, second, pages, size)
    return metas + free(2, size) + root + branch(4, [5, next_page], size) + one + two


ITEMS = {b"a": b"1", b"b": b"2" * 9000, b"c": b"", b"d": b"4"}


def reader(tmp_path: Path, content: bytes) -> BucketReader:
    file = tmp_path / "metadata.db"
    file.write_bytes(content)
    return BucketReader(file, BUCKET_NAME)


@pytest.mark.parametrize("size", [1024, 4096, 65536])
def test_it_reads_branches_leaves_and_pages_that_run_over(tmp_path: Path, size: int) -> None:
    assert reader(tmp_path, database(ITEMS, size)).read() == ITEMS


def test_it_reads_a_bucket_that_lies_in_its_parents_page(tmp_path: Path) -> None:
    inside = struct.pack("<QQ", 0, 0) + leaf(0, [(0, b"a", b"1")], 64)
    content = meta(0, 3, 1, 4) + meta(1, 3, 2, 4) + free(2) + leaf(3, [(BUCKET, BUCKET_NAME, inside)])
    assert reader(tmp_path, content).read() == {b"a": b"1"}


def test_a_database_without_the_bucket_is_empty(tmp_path: Path) -> None:
    assert reader(tmp_path, meta(0, 3, 1, 4) + meta(1, 3, 2, 4) + free(2) + leaf(3, [])).read() == {}


@pytest.mark.parametrize("torn", [0, 1])
def test_a_torn_meta_page_leaves_the_other_to_be_read(tmp_path: Path, torn: int) -> None:
    content = bytearray(database(ITEMS))
    content[torn * SIZE + 40] ^= 1
    assert reader(tmp_path, bytes(content)).read() == ITEMS


def test_the_newer_transaction_counts(tmp_path: Path) -> None:
    old, new = database(ITEMS), meta(0, 9, 9, 10)
    content = new + old[SIZE:] + b"\0" * (9 * SIZE - len(old)) + leaf(9, [])
    assert reader(tmp_path, content).read() == {}


@pytest.mark.parametrize(
    "content",
    [b"", b"x" * 9000, database(ITEMS)[: 3 * SIZE], meta(0, 3, 1, 4) + meta(1, 99, 2, 4), meta(0, 4, 1, 9) * 5,
     meta(0, 3, 1, 1 << 40) * 2],
    ids=["empty", "other", "cut", "root beyond the end", "no tree", "too big"],
)  # fmt: skip
def test_what_is_no_database_or_damaged_is_an_error_and_no_empty_answer(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(BoltError):
        reader(tmp_path, content).read()


def test_a_tree_that_leads_back_to_itself_ends(tmp_path: Path) -> None:
    content = meta(0, 3, 1, 4) + meta(1, 3, 2, 4) + free(2) + branch(3, [3])
    with pytest.raises(BoltError, match="not part of a tree"):
        reader(tmp_path, content).read()


def test_no_byte_that_is_changed_raises_anything_else(tmp_path: Path) -> None:
    content = database({b"a": b"1", b"b": b"2", b"c": b"3"}, 1024)
    for position in range(0, len(content), 3):
        changed = bytearray(content)
        changed[position] ^= 0xFF
        try:
            found = reader(tmp_path, bytes(changed)).read()
        except (BoltError, struct.error):
            continue
        assert isinstance(found, dict)


def test_a_file_that_changes_while_it_is_read_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = reader(tmp_path, database(ITEMS))
    after, plain, calls = database({b"z": b"9"}, second=7), bolt_file.read_entries, []

    def slowly(*arguments: object) -> object:
        found = list(plain(*arguments))  # type: ignore[arg-type]
        if not calls:
            made.path.write_bytes(after)
        calls.append(1)
        return iter(found)

    monkeypatch.setattr(bolt_file, "read_entries", slowly)
    assert made.read() == {b"z": b"9"}
    assert len(calls) == 2


def test_it_is_read_again_only_when_its_meta_page_changed(tmp_path: Path) -> None:
    made = reader(tmp_path, database(ITEMS))
    first = made.read()
    os.utime(made.path)
    assert made.read() is first
    made.path.write_bytes(database({b"z": b"9"}, second=6))
    assert made.read() == {b"z": b"9"}
