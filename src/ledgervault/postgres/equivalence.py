"""How a copy is read for a manifest: what an older one could not know is left out, what PostgreSQL writes otherwise is
looked at again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from ledgervault.model import comparison
from ledgervault.model.comparison import Seen
from ledgervault.model.content import Content
from ledgervault.model.manifest import SCHEMA, Manifest
from ledgervault.postgres import canonical, database, definitions_schema1, queries
from ledgervault.postgres.database import Connection

# Where schema 1 wrote, within one text, what has a key of its own now.
_PIECES = {
    "column": ("default of", "generation of"),
    "view": ("query of view",),
    "materialized view": ("query of materialized view",),
    "policy": ("policy using of", "policy check of"),
    "table": ("partition key of",),
    "domain": ("domain default of",),
}


def seen(connection: Connection, manifest: Manifest, schema: Mapping[str, str]) -> Seen:
    """What comparing must know of the copy. The connection may define things; all of it is taken back."""
    texts = comparison.different(manifest.content.schema, schema)
    written, unsure = canonical.as_written_here(connection, texts), frozenset[str]()
    if manifest.schema < SCHEMA and texts.keys() - written.keys():
        written |= _of_pieces(connection, {key: texts[key] for key in texts.keys() - written.keys()}, schema)
        unsure = frozenset(key for key in texts.keys() - written.keys() if _alike(texts[key], schema[key]))
    return replace(_of_server(connection), written=written, unsure=unsure)


def seen_before(
    connection: Connection, proven: Callable[[], Mapping[str, str]], manifest: Manifest, schema: Mapping[str, str]
) -> Seen:
    """The same where nothing may be defined, as on a live database: the backup's proof holds what a restored copy
    writes otherwise, and what is not in it stays unsure."""
    texts = comparison.different(manifest.content.schema, schema)
    unsure = frozenset(key for key in texts if _alike(texts[key], schema[key]))
    return replace(_of_server(connection), written=proven() if texts else {}, unsure=unsure)


def _of_server(connection: Connection) -> Seen:
    return Seen(
        moving={name: root for name, root in database.rows(connection, queries.MOVING) if root is not None},
        updatable=frozenset((name, version) for name, version in database.rows(connection, queries.UPDATABLE)),
    )


def as_read_then(connection: Connection, manifest: Manifest, content: Content) -> Content:
    """`content` as the version that wrote the manifest would have read it."""
    if manifest.schema >= SCHEMA:
        return content
    names = {
        name for (name,) in database.rows(connection, definitions_schema1.RELATIONS)
    } | manifest.sequences_dumped.keys()
    return replace(
        content,
        tables={name: table for name, table in content.tables.items() if name in names},
        sequences={name: value for name, value in content.sequences.items() if name in names},
    )


def _of_pieces(connection: Connection, texts: Mapping[str, str], schema: Mapping[str, str]) -> dict[str, str]:
    """For texts of schema 1 that hold expressions among other things: all around them is equal, and each is written
    here as it was restored."""
    pieces = database.read_schema(connection)
    written = {}
    for key, text in texts.items():
        within = _within(schema[key], text, {name: pieces[name] for name in _pieces_of(key, pieces)})
        made = canonical.as_written_here(connection, within)
        if within and made.keys() == within.keys():  # else nothing can be said
            written[key] = schema[key] if all(made[name] == pieces[name] for name in made) else text
    return written


def _within(restored: str, text: str, pieces: Mapping[str, str]) -> dict[str, str]:
    """What stands in `text` where `restored` has the pieces; nothing if all else is not equal."""
    pattern, names = "", []
    for name, piece in pieces.items():
        before, mark, after = restored.partition(piece)
        if mark:
            pattern, restored = f"{pattern}{re.escape(before)}(.+)", after
            names.append(name)
    match = re.fullmatch(pattern + re.escape(restored), text, re.DOTALL)
    return dict(zip(names, match.groups(), strict=True)) if match else {}


def _pieces_of(key: str, pieces: Mapping[str, str]) -> Iterator[str]:
    yield from [key] if key in pieces and canonical.kind_of(key) else []
    for kind, within in _PIECES.items():
        if key.startswith(kind + " "):
            names = (f"{name} {key.removeprefix(kind + ' ')}" for name in within)
            yield from (name for name in names if name in pieces)


def _alike(one: str, other: str) -> bool:
    """The same letters but for brackets, casts and white space: an old text may mean the same or not."""
    return comparison.loosely(one) == comparison.loosely(other)
