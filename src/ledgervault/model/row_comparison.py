"""Compares two versions of a table's rows by key, in memory, one share of the table at a time.

The later rows are stored first; each earlier row then removes its own. The remaining rows were added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ledgervault.model.digests import bucket_of
from ledgervault.model.dump_format import Take, unescaped

SHOWN = 20  # keys listed of each sort
_KEY_LENGTH = 100

_Hashes = tuple[int, ...]  # of each fixed column, then of all others together


@dataclass(slots=True)
class Figures:
    """The changes of a table's rows. Only the first keys are listed, as `name=value`."""

    before: int = 0
    now: int = 0
    missing: int = 0
    changed: int = 0
    changed_fixed: int = 0  # of `changed`: in a column that never changes
    added: int = 0
    missing_keys: list[str] = field(default_factory=list)
    changed_keys: list[str] = field(default_factory=list)
    changed_fixed_keys: list[str] = field(default_factory=list)
    added_keys: list[str] = field(default_factory=list)
    dropped_columns: list[str] = field(default_factory=list)
    unknown_columns: list[str] = field(default_factory=list)  # fixed ones that no dump holds

    @property
    def is_same(self) -> bool:
        return not (self.missing or self.changed or self.added or self.dropped_columns)


@dataclass(frozen=True, slots=True)
class Shape:
    """How a table's rows are compared. Without a key all compared columns identify a row, and it may occur twice."""

    columns: tuple[str, ...]  # in the order of the later rows' fields
    key: tuple[str, ...]
    fixed: tuple[str, ...]
    bucketing: str


class Comparison:
    """Compares the rows of some buckets (None: all buckets) and adds the changes to `figures`."""

    def __init__(self, shape: Shape, buckets: frozenset[int] | None, figures: Figures) -> None:
        self._shape, self._buckets, self._figures = shape, buckets, figures
        self._fixed = [shape.columns.index(name) for name in shape.fixed]
        self._rest = [place for place, name in enumerate(shape.columns) if name not in (*shape.key, *shape.fixed)]
        self._key = [shape.columns.index(name) for name in shape.key] or [*range(len(shape.columns))]
        self._later: dict[bytes, _Hashes] = {}
        self._copies: dict[bytes, int] = {}  # counts of equal rows without a key

    def put_later(self, row: bytes) -> None:
        fields = row.split(b"\t")
        key = b"\t".join([fields[place] for place in self._key])
        if key in self._later:
            self._copies[key] = self._copies.get(key, 1) + 1
        else:
            self._later[key] = self._hashes(fields)

    def taker(self, columns: Sequence[str]) -> Take:
        """Returns a function for rows whose fields are in the order of `columns`."""
        places = [columns.index(name) for name in self._shape.columns]
        key_places = [columns.index(name) for name in self._shape.key]

        def take(row: bytes) -> None:
            fields = row.split(b"\t")
            if self._buckets is not None and self._bucket(fields, key_places) not in self._buckets:
                return
            self._take_earlier([fields[place] for place in places])

        return take

    def end(self) -> None:
        """Counts the remaining later rows as added."""
        for key in self._later:
            self._figures.added += self._copies.get(key, 1)
            self._show(self._figures.added_keys, key)
        self._later.clear()
        self._copies.clear()

    def _bucket(self, fields: Sequence[bytes], places: Sequence[int]) -> int:
        return bucket_of(self._shape.bucketing, b"\t".join([unescaped(fields[place]) for place in places]))

    def _take_earlier(self, fields: Sequence[bytes]) -> None:
        key = b"\t".join([fields[place] for place in self._key])
        if self._copies.get(key, 1) > 1:
            self._copies[key] -= 1
            return
        later = self._later.pop(key, None)
        figures = self._figures
        if later is None:
            figures.missing += 1
            self._show(figures.missing_keys, key)
            return
        earlier = self._hashes(fields)
        if earlier == later:
            return
        figures.changed += 1
        fixed = [
            name for name, before, after in zip(self._shape.fixed, earlier, later, strict=False) if before != after
        ]
        if fixed:
            figures.changed_fixed += 1
            self._show(figures.changed_fixed_keys, key, f" ({', '.join(fixed)})")
        else:
            self._show(figures.changed_keys, key)

    def _hashes(self, fields: Sequence[bytes]) -> _Hashes:
        """Python's 64-bit hashes suffice: both sides are hashed in this process."""
        return (*(hash(fields[place]) for place in self._fixed), hash(tuple([fields[place] for place in self._rest])))

    def _show(self, keys: list[str], key: bytes, more: str = "") -> None:
        if len(keys) < SHOWN:
            names = self._shape.key or self._shape.columns
            values = (unescaped(value).decode(errors="replace") for value in key.split(b"\t"))
            text = " ".join(f"{name}={value}" for name, value in zip(names, values, strict=True))
            keys.append((text if len(text) <= _KEY_LENGTH else text[: _KEY_LENGTH - 3] + "...") + more)
