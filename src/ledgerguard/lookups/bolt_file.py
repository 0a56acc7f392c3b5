"""Reads the engine's volume database (a Bolt file) without locking or asking the engine.

A module of its own because it knows nothing of Docker: pages in, keys and values out. The engine writes the file at the
same time. A tree that a valid meta page points to is not touched by the next transaction, only by the one after; so
whatever was read is good if the newest meta page is still the same afterwards, and is read again if not.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

MAGIC, VERSION = 0xED0CDAED, 2
BRANCH, LEAF, META = 0x01, 0x02, 0x04
BUCKET = 0x01
HEADER = struct.Struct("<QHHI")  # page id, flags, count, overflow
META_FIELDS = struct.Struct("<IIIIQQQQQQ")  # magic … transaction id, checksum
BRANCH_ELEMENT = struct.Struct("<IIQ")  # position, key size, page
LEAF_ELEMENT = struct.Struct("<IIII")  # flags, position, key size, value size
META_BYTES = HEADER.size + META_FIELDS.size
BUCKET_VALUE = struct.Struct("<QQ")  # root page, sequence
MAX_BYTES, MAX_DEPTH, ATTEMPTS = 256 << 20, 32, 20
PAGE_SIZES = frozenset(1 << power for power in range(9, 17))
FNV_BASIS, FNV_PRIME, FNV_MASK = 0xCBF29CE484222325, 0x100000001B3, (1 << 64) - 1


class BoltError(Exception):
    """The file is not a Bolt database, is damaged, or changed too quickly to be read."""


@dataclass(frozen=True)
class Meta:
    """What a meta page says: page size, root bucket's page, number of pages, transaction."""

    page_size: int
    root: int
    pages: int
    transaction: int


def fnv1a(content: bytes) -> int:
    checksum = FNV_BASIS
    for byte in content:
        checksum = ((checksum ^ byte) * FNV_PRIME) & FNV_MASK
    return checksum


@lru_cache(maxsize=8)  # nine of ten times the page says what it said before
def parse_meta(page: bytes) -> Meta | None:
    """The meta of a page, None where its magic, version or checksum is wrong (a write that was cut)."""
    if len(page) < META_BYTES or not HEADER.unpack_from(page)[1] & META:
        return None
    fields = META_FIELDS.unpack_from(page, HEADER.size)
    magic, version, size, _flags, root, _sequence, _free, pages, transaction, checksum = fields
    if (magic, version) != (MAGIC, VERSION) or size not in PAGE_SIZES:
        return None
    if fnv1a(page[HEADER.size : META_BYTES - 8]) != checksum:
        return None
    return Meta(size, root, pages, transaction)


def read_newest_meta(file: int) -> Meta:
    """The valid meta page of the later transaction; the second lies at whatever the page size is."""
    first = parse_meta(os.pread(file, META_BYTES, 0))
    sizes = [first.page_size] if first else sorted(PAGE_SIZES)
    candidates = (parse_meta(os.pread(file, META_BYTES, size)) for size in sizes)
    valid = [meta for meta in (first, *candidates) if meta]
    if not valid:
        raise BoltError("no valid meta page")
    return max(valid, key=lambda meta: meta.transaction)


@dataclass
class BucketReader:
    """One file, read again only when its newest meta page has changed."""

    path: Path
    bucket: bytes
    _stamp: tuple[int, int, Meta] | None = None
    _entries: dict[bytes, bytes] | None = None

    def read(self) -> dict[bytes, bytes]:
        """key → value of the bucket. Raises OSError or BoltError."""
        file = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            stat = os.fstat(file)
            for _attempt in range(ATTEMPTS):
                meta = read_newest_meta(file)
                stamp = (stat.st_dev, stat.st_ino, meta)
                if stamp == self._stamp and self._entries is not None:
                    return self._entries
                fresh = self._whole(file, meta)
                if fresh is not None:
                    self._stamp, self._entries = stamp, fresh
                    return fresh
            raise BoltError(f"changed {ATTEMPTS} times while it was read")
        finally:
            os.close(file)

    def _whole(self, file: int, meta: Meta) -> dict[bytes, bytes] | None:
        """The bucket's content, None where the file changed meanwhile."""
        try:
            bucket = dict(read_entries(file, meta, self.bucket))
        except (BoltError, struct.error):
            if read_newest_meta(file) == meta:
                raise
            return None
        return bucket if read_newest_meta(file) == meta else None


def read_entries(file: int, meta: Meta, bucket: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The keys and values of one top-level bucket; nothing where there is no such bucket."""
    if meta.pages * meta.page_size > MAX_BYTES:
        raise BoltError(f"{meta.pages} pages are more than are read")
    for flags, key, value in _walk_page(file, meta, meta.root, 0):
        if key == bucket and flags & BUCKET:
            root = BUCKET_VALUE.unpack_from(value)[0]
            elements = _walk_page(file, meta, root, 0) if root else _parse_leaf(value[BUCKET_VALUE.size :])
            yield from ((name, content) for flags, name, content in elements if not flags & BUCKET)


def _walk_page(file: int, meta: Meta, number: int, depth: int) -> Iterator[tuple[int, bytes, bytes]]:
    if depth > MAX_DEPTH or not 2 <= number < meta.pages:
        raise BoltError(f"page {number} is not part of a tree of {meta.pages} pages")
    page = _read_page(file, meta, number)
    _id, flags, count, _overflow = HEADER.unpack_from(page)
    if flags & LEAF:
        yield from _parse_leaf(page)
    elif flags & BRANCH:
        for index in range(count):
            below = BRANCH_ELEMENT.unpack_from(page, HEADER.size + index * BRANCH_ELEMENT.size)[2]
            yield from _walk_page(file, meta, below, depth + 1)
    else:
        raise BoltError(f"page {number} is neither branch nor leaf")


def _read_page(file: int, meta: Meta, number: int) -> bytes:
    offset = number * meta.page_size
    page = os.pread(file, meta.page_size, offset)
    if len(page) < meta.page_size:
        raise BoltError(f"page {number} is cut")
    overflow = HEADER.unpack_from(page)[3]
    if number + overflow >= meta.pages:
        raise BoltError(f"page {number} runs over the end")
    return os.pread(file, meta.page_size * (overflow + 1), offset) if overflow else page


def _parse_leaf(page: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    _id, flags, count, _overflow = HEADER.unpack_from(page)
    if not flags & LEAF:
        raise BoltError("a leaf page was expected")
    for index in range(count):
        at = HEADER.size + index * LEAF_ELEMENT.size
        kind, position, key_size, value_size = LEAF_ELEMENT.unpack_from(page, at)
        start, middle, end = at + position, at + position + key_size, at + position + key_size + value_size
        if end > len(page):
            raise BoltError("an element runs over its page")
        yield kind, page[start:middle], page[middle:end]
