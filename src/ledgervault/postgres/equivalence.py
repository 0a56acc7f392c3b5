"""Which texts of a manifest and of a copy count as equal, and how a copy is read for an older manifest.

What an older manifest could not know is left out. Texts that PostgreSQL may write in several ways are compared again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from ledgervault.model import comparison
from ledgervault.model.comparison import Equivalences
from ledgervault.model.content import Content
from ledgervault.model.manifest import SCHEMA, Manifest
from ledgervault.postgres import canonical, database, definitions_schema1, queries
from ledgervault.postgres.database import Connection

# Schema 1 wrote these in one text; now each has a key of its own.
_PIECES = {
    "column": ("default of", "generation of"),
    "view": ("query of view",),
    "materialized view": ("query of materialized view",),
    "policy": ("policy using of", "policy check of"),
    "table": ("partition key of",),
    "domain": ("domain default of",),
}


def find_equivalences(connection: Connection, manifest: Manifest, schema: Mapping[str, str]) -> Equivalences:
    """The differences that are no losses. It creates objects on the connection and rolls all of them back."""
    texts = comparison.differing_texts(manifest.content.schema, schema)
    rewritten, undecided = canonical.canonical_texts(connection, texts), frozenset[str]()
    if manifest.schema < SCHEMA and texts.keys() - rewritten.keys():
        rewritten |= _rewrite_pieces(connection, {key: texts[key] for key in texts.keys() - rewritten.keys()}, schema)
        undecided = frozenset(key for key in texts.keys() - rewritten.keys() if _are_alike(texts[key], schema[key]))
    return replace(_server_equivalences(connection), rewritten=rewritten, undecided=undecided)


def proven_equivalences(
    connection: Connection, proven: Callable[[], Mapping[str, str]], manifest: Manifest, schema: Mapping[str, str]
) -> Equivalences:
    """The same for a live database, where nothing may be created. The backup's proof lists the texts that a restored
    copy writes differently; all other differing texts stay undecided."""
    texts = comparison.differing_texts(manifest.content.schema, schema)
    undecided = frozenset(key for key in texts if _are_alike(texts[key], schema[key]))
    return replace(_server_equivalences(connection), rewritten=proven() if texts else {}, undecided=undecided)


def _server_equivalences(connection: Connection) -> Equivalences:
    return Equivalences(
        moving={name: root for name, root in database.rows(connection, queries.MOVING) if root is not None},
        updatable=frozenset((name, version) for name, version in database.rows(connection, queries.UPDATABLE)),
    )


def as_of_manifest(connection: Connection, manifest: Manifest, content: Content) -> Content:
    """Reduces `content` to what the version that wrote the manifest would have read."""
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


def _rewrite_pieces(connection: Connection, texts: Mapping[str, str], schema: Mapping[str, str]) -> dict[str, str]:
    """Compares texts of schema 1 that contain expressions: the text around them must be equal, and each expression is
    rewritten by the server."""
    pieces = database.read_schema(connection)
    rewritten = {}
    for key, text in texts.items():
        within = _extract_pieces(schema[key], text, {name: pieces[name] for name in _piece_keys(key, pieces)})
        server_texts = canonical.canonical_texts(connection, within)
        if within and server_texts.keys() == within.keys():  # else nothing can be said
            rewritten[key] = schema[key] if all(server_texts[name] == pieces[name] for name in server_texts) else text
    return rewritten


def _extract_pieces(restored: str, text: str, pieces: Mapping[str, str]) -> dict[str, str]:
    """The pieces of `text` at the places where `restored` has its pieces; empty if the rest is not equal."""
    pattern, names = "", []
    for name, piece in pieces.items():
        before, mark, after = restored.partition(piece)
        if mark:
            pattern, restored = f"{pattern}{re.escape(before)}(.+)", after
            names.append(name)
    match = re.fullmatch(pattern + re.escape(restored), text, re.DOTALL)
    return dict(zip(names, match.groups(), strict=True)) if match else {}


def _piece_keys(key: str, pieces: Mapping[str, str]) -> Iterator[str]:
    yield from [key] if key in pieces and canonical.kind_of(key) else []
    for kind, within in _PIECES.items():
        if key.startswith(kind + " "):
            names = (f"{name} {key.removeprefix(kind + ' ')}" for name in within)
            yield from (name for name in names if name in pieces)


def _are_alike(left: str, right: str) -> bool:
    """Equal except for brackets, casts and white space: an old text may mean the same or not."""
    return comparison.loosen(left) == comparison.loosen(right)
