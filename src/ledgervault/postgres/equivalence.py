"""How a copy is read for a manifest: what an older one could not know is left out, what PostgreSQL writes otherwise is
looked at again.
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

# Where schema 1 wrote, within one text, what has a key of its own now.
_PIECES = {
    "column": ("default of", "generation of"),
    "view": ("query of view",),
    "materialized view": ("query of materialized view",),
    "policy": ("policy using of", "policy check of"),
    "table": ("partition key of",),
    "domain": ("domain default of",),
}


def find_equivalences(connection: Connection, manifest: Manifest, schema: Mapping[str, str]) -> Equivalences:
    """What comparing must know of the copy. The connection may define things; all of it is taken back."""
    texts = comparison.differing_texts(manifest.content.schema, schema)
    rewritten, undecided = canonical.canonical_texts(connection, texts), frozenset[str]()
    if manifest.schema < SCHEMA and texts.keys() - rewritten.keys():
        rewritten |= _rewrite_pieces(connection, {key: texts[key] for key in texts.keys() - rewritten.keys()}, schema)
        undecided = frozenset(key for key in texts.keys() - rewritten.keys() if _are_alike(texts[key], schema[key]))
    return replace(_server_equivalences(connection), rewritten=rewritten, undecided=undecided)


def proven_equivalences(
    connection: Connection, proven: Callable[[], Mapping[str, str]], manifest: Manifest, schema: Mapping[str, str]
) -> Equivalences:
    """The same where nothing may be defined, as on a live database: the backup's proof holds what a restored copy
    writes otherwise, and what is not in it stays unsure."""
    texts = comparison.differing_texts(manifest.content.schema, schema)
    undecided = frozenset(key for key in texts if _are_alike(texts[key], schema[key]))
    return replace(_server_equivalences(connection), rewritten=proven() if texts else {}, undecided=undecided)


def _server_equivalences(connection: Connection) -> Equivalences:
    return Equivalences(
        moving={name: root for name, root in database.rows(connection, queries.MOVING) if root is not None},
        updatable=frozenset((name, version) for name, version in database.rows(connection, queries.UPDATABLE)),
    )


def as_of_manifest(connection: Connection, manifest: Manifest, content: Content) -> Content:
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


def _rewrite_pieces(connection: Connection, texts: Mapping[str, str], schema: Mapping[str, str]) -> dict[str, str]:
    """For texts of schema 1 that hold expressions among other things: all around them is equal, and each is written
    here as it was restored."""
    pieces = database.read_schema(connection)
    rewritten = {}
    for key, text in texts.items():
        within = _extract_pieces(schema[key], text, {name: pieces[name] for name in _piece_keys(key, pieces)})
        server_texts = canonical.canonical_texts(connection, within)
        if within and server_texts.keys() == within.keys():  # else nothing can be said
            rewritten[key] = schema[key] if all(server_texts[name] == pieces[name] for name in server_texts) else text
    return rewritten


def _extract_pieces(restored: str, text: str, pieces: Mapping[str, str]) -> dict[str, str]:
    """What stands in `text` where `restored` has the pieces; nothing if all else is not equal."""
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
    """The same letters but for brackets, casts and white space: an old text may mean the same or not."""
    return comparison.loosen(left) == comparison.loosen(right)
