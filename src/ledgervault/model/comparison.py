"""Compares a restored copy with its manifest and names every difference. Pure.

The blindness test (B30) checks this module.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from ledgervault.model.content import EXTENSIONS_OWN, UNREADABLE, Content, Globals, Sequence, SequenceValue, Table
from ledgervault.model.manifest import SCHEMA, Manifest
from ledgervault.model.proof import Check, failed, inconclusive, note, ok

_SHOWN = 60
_CAST = re.compile(
    r"::(?:\"[^\"]+\"|[a-z_][\w.]*)(?: (?:varying|precision|with(?:out)? time zone))?(?:\(\d+(?:,\d+)?\))?(?:\[\])*"
)


@dataclass(frozen=True, slots=True)
class Equivalences:
    """Differences between copy and manifest that are not losses."""

    rewritten: Mapping[str, str] = field(default_factory=dict)  # a definition of the manifest as this server writes it
    undecided: frozenset[str] = frozenset()  # definitions that are the same or not: it cannot be seen
    moving: Mapping[str, str] = field(default_factory=dict)  # a partition -> the table in which its rows may move
    updatable: frozenset[tuple[str, str]] = frozenset()  # an extension, and a version that updates to the copy's


_NO_EQUIVALENCES = Equivalences()


def compare_copy(manifest: Manifest, restored: Content, equivalences: Equivalences = _NO_EQUIVALENCES) -> list[Check]:
    """Compares a copy on a throw-away server with everything in the manifest."""
    expected = manifest.content
    return [
        *_compare_database(manifest, restored, equivalences),
        *compare_globals(expected.globals, restored.globals, equivalences.updatable),
        *compare_heads(manifest, restored),
        *describe_left_out(expected),
    ]


def compare_live(manifest: Manifest, live: Content, equivalences: Equivalences = _NO_EQUIVALENCES) -> list[Check]:
    """Compares a database on a server with its own roles and settings: those are skipped."""
    return [
        *_compare_database(manifest, live, equivalences),
        *compare_heads(manifest, live),
        *describe_left_out(manifest.content),
    ]


def _compare_database(manifest: Manifest, restored: Content, equivalences: Equivalences) -> Iterator[Check]:
    expected = manifest.content
    versions = restored.globals.extensions
    aged = {name for name, version in expected.globals.extensions.items() if versions.get(name) != version}
    yield from compare_tables(expected.tables, restored.tables, equivalences.moving, restored.of_extensions, aged)
    yield from describe_watched(manifest, restored.tables)
    yield from compare_sequences(
        expected.sequences, manifest.sequences_dumped, restored.sequences, restored.of_extensions
    )
    yield from compare_schema(expected.schema, restored.schema, equivalences.rewritten, equivalences.undecided)
    yield from compare_large_objects(expected, restored)
    yield from _check_extension_tables(manifest, restored)


def _check_extension_tables(manifest: Manifest, restored: Content) -> Iterator[Check]:
    """Manifests of schema 1 list no tables of extensions, and pg_dump may have skipped their rows."""
    names = [name for name in restored.of_extensions if name not in restored.sequences]
    if manifest.schema < SCHEMA and names:
        text = f"tables of extensions: {', '.join(names)}: taken by an older version, which did not read their rows"
        yield inconclusive("tables of extensions", text, "take a new backup: its rows are compared")


def describe_left_out(expected: Content) -> Iterator[Check]:
    for number, text in enumerate(expected.left_out, start=1):
        yield note(f"left out {number}", f"not in this backup: {text}")


def is_comparable(manifest: Manifest) -> bool:
    """A comparison of nothing with nothing proves nothing."""
    return manifest.content.rows > 0 or bool(manifest.content.large_objects)


def compare_tables(
    expected: Mapping[str, Table],
    restored: Mapping[str, Table],
    moving: Mapping[str, str] | None = None,
    of_extensions: Mapping[str, str] | None = None,
    aged: Container[str] = (),
) -> Iterator[Check]:
    """`aged` names the extensions that have another version in the copy."""
    if not expected:
        yield inconclusive(
            "tables", "the manifest holds no tables: nothing was compared", "is this the right database?"
        )
    elif not any(table.rows for table in expected.values()):
        yield inconclusive("tables", f"all {len(expected)} tables were empty: nothing was compared")
    before, after = _merge_moving(expected, moving or {}), _merge_moving(restored, moving or {})
    for name in sorted(before.keys() | after.keys()):
        check = _compare_table(name, before.get(name), after.get(name))
        extension = (of_extensions or {}).get(name)
        yield check if extension is None or check.result == "ok" else _judge_extension_table(check, extension, aged)


def _judge_extension_table(check: Check, extension: str, aged: Container[str]) -> Check:
    """Another version of the extension may create other rows; with the same version the rows were lost."""
    if extension in aged:
        text = f"{check.text}; extension {extension} has another version here"
        return inconclusive(check.id, text, "prove with an image that has the source's version")
    hint = f"pg_dump leaves out what extension {extension} does not register: dump these rows yourself"
    return replace(check, hint=hint)


def _merge_moving(tables_: Mapping[str, Table], moving: Mapping[str, str]) -> dict[str, Table]:
    """Partitions between which rows may move count as one table."""
    together: dict[str, Table] = {}
    for name, table in tables_.items():
        key = moving.get(name, name)
        together[key] = together[key] + table if key in together else table
    return together


def _compare_table(name: str, expected: Table | None, restored: Table | None) -> Check:
    id_ = f"table {name}"
    if restored is None:
        return failed(id_, f"table {name}: missing, {_row_count(expected)} in the manifest")
    if expected is None:
        return failed(id_, f"table {name}: {restored.rows} rows restored, not in the manifest")
    if expected.rows != restored.rows:
        return failed(id_, f"table {name}: {restored.rows} rows restored, {expected.rows} in the manifest")
    if expected != restored:
        return failed(
            id_,
            f"table {name}: {restored.rows} rows as in the manifest, but their content differs"
            f" (sum {restored.sum}, expected {expected.sum})",
        )
    return ok(id_, f"table {name}: {restored.rows} rows, content equal")


def _row_count(table: Table | None) -> str:
    return f"{table.rows if table else 0} rows"


def describe_watched(manifest: Manifest, restored: Mapping[str, Table]) -> Iterator[Check]:
    """The tables that the configuration names. An empty ledger is fine; one that had rows and is empty is not."""
    for name, table in manifest.watched.items():
        expected = manifest.content.tables.get(name)
        count = restored[name].rows if name in restored else 0
        if expected is not None and (expected.rows or count):
            yield note(f"watched {name}", f"{count} {table.noun}")
        elif table.expect_rows:
            yield inconclusive(
                f"watched {name}",
                f"table {name}: 0 {table.noun} here and in the manifest, where rows are expected",
                "if they were deleted on purpose, set expect_rows to never",
            )
        else:
            yield note(f"watched {name}", f"0 {table.noun}: {table.empty}")


def compare_sequences(
    expected: Mapping[str, Sequence],
    dumped: Mapping[str, SequenceValue],
    restored: Mapping[str, Sequence],
    of_extensions: Mapping[str, str] | None = None,
) -> Iterator[Check]:
    for name in sorted(expected.keys() | dumped.keys() | restored.keys()):
        before, dump_value, after = expected.get(name), dumped.get(name), restored.get(name)
        if before is None and dump_value is not None and name in (of_extensions or {}):
            before = after  # an older manifest knows it by the dump alone
        if dump_value is None and before is not None and after is not None and name in (of_extensions or {}):
            yield _compare_unregistered(name, before, after)
        else:
            yield _compare_sequence(name, before, dump_value, after)


def _compare_unregistered(name: str, before: Sequence, after: Sequence) -> Check:
    """A sequence that its extension does not register starts again. That matters if a row has its next value."""
    check = _check_next_value(f"sequence value {name}", name, before, after)
    if check.result != "ok" or _describe_value(before) == _describe_value(after):
        return check
    old, new = _describe_value(before), _describe_value(after)
    text = f"sequence {name}: {old} is not in this backup, CREATE EXTENSION made it {new}"
    return note(check.id, text)


def _compare_sequence(
    name: str, before: Sequence | None, dumped: SequenceValue | None, after: Sequence | None
) -> Check:
    id_ = f"sequence value {name}"
    if after is None:
        return failed(id_, f"sequence {name}: missing")
    if before is None:
        return failed(id_, f"sequence {name}: restored, not in the manifest")
    if dumped is None:
        return failed(id_, f"sequence {name}: the dump sets no value for it")
    restored_value = SequenceValue(after.last_value, after.is_called)
    if restored_value != dumped:
        return failed(
            id_,
            f"sequence {name}: restored {_describe_value(restored_value)}, the dump holds {_describe_value(dumped)}",
        )
    if not before.cycle and _is_behind(dumped, SequenceValue(before.last_value, before.is_called), before.increment):
        return failed(
            id_, f"sequence {name}: {_describe_value(dumped)} in the dump, already {_describe_value(before)} before it"
        )
    return _check_next_value(id_, name, before, after)


def _check_next_value(id_: str, name: str, before: Sequence, after: Sequence) -> Check:
    """The next value must not collide with a row, unless it also did in the source (ids that were set by hand)."""
    if after.owned_max is None or after.cycle or not _is_behind_rows(after.owned_max, after):
        return ok(id_, f"sequence {name}: {_describe_value(after)}")
    text = f"sequence {name}: {_describe_value(after)} is behind {after.owned_max} in {after.owned_by}"
    if before.owned_max is not None and _is_behind_rows(before.owned_max, before):
        return note(id_, f"{text}, as it was in the source")
    return failed(id_, text)


def _is_behind_rows(owned_max: int, sequence: Sequence) -> bool:
    """A row has a value that the sequence will return. An unused sequence returns its last value next."""
    ahead = owned_max - sequence.last_value if sequence.increment > 0 else sequence.last_value - owned_max
    return ahead > 0 if sequence.is_called else ahead >= 0


def _is_behind(later: SequenceValue, earlier: SequenceValue, increment: int) -> bool:
    sign = 1 if increment > 0 else -1
    return (sign * later.last_value, later.is_called) < (sign * earlier.last_value, earlier.is_called)


def _describe_value(sequence: Sequence | SequenceValue) -> str:
    return f"{sequence.last_value}{'' if sequence.is_called else ' (not yet used)'}"


def compare_schema(
    expected: Mapping[str, str],
    restored: Mapping[str, str],
    rewritten: Mapping[str, str] | None = None,
    undecided: Iterable[str] = (),
) -> Iterator[Check]:
    """One check for the whole schema, and one for each object that is missing or different."""
    wrong = [*_schema_differences(expected, restored, rewritten or {}, frozenset(undecided))]
    if not any(check.result == "failed" for check in wrong) and expected:
        kinds = len({key.split(" ")[0] for key in expected})
        yield ok("schema", f"schema: {len(expected)} objects of {kinds} kinds equal")
    yield from wrong


def differing_texts(expected: Mapping[str, str], restored: Mapping[str, str]) -> dict[str, str]:
    """The manifest's texts of objects that the copy defines differently."""
    return {name: text for name, text in expected.items() if restored.get(name, text) != text}


def _schema_differences(
    expected: Mapping[str, str], restored: Mapping[str, str], rewritten: Mapping[str, str], undecided: frozenset[str]
) -> Iterator[Check]:
    for name in sorted(expected.keys() - restored.keys()):
        yield _note_undumped(name) or failed(f"schema {name}", f"{name}: missing")
    for name in sorted(restored.keys() - expected.keys()):
        if name == "schema public" or name == "comment on schema public":
            yield note(f"schema {name}", f"{name}: every new database has it, the source had dropped it")
        else:
            yield _note_undumped(name) or failed(f"schema {name}", f"{name}: not in the manifest")
    for name in sorted(name for name, text in expected.items() if UNREADABLE in (text, restored.get(name))):
        yield _judge_unreadable(name, expected[name])
    for name in sorted(differing_texts(expected, restored)):
        if UNREADABLE in (expected[name], restored[name]):
            continue
        if rewritten.get(name) == restored[name]:
            yield note(f"schema {name}", f"{name}: equal, PostgreSQL writes the manifest's text as the restored one")
        elif name in undecided:
            text = f"{name}: written otherwise, perhaps the same; this backup's proof does not say"
            yield inconclusive(f"schema {name}", text, "take a new backup and prove it (its proof says it)")
        else:
            text = f"{name}: {_describe_difference(expected[name], restored[name])}"
            yield _note_undumped(name) or failed(f"schema {name}", text)


def _judge_unreadable(name: str, expected: str) -> Check:
    """The dump may lack what the backup role could not read. What the comparing role cannot read does not matter."""
    if expected != UNREADABLE:
        return note(f"schema {name}", f"{name}: this role may not read it, so it is not compared")
    text = f"{name}: the role that backed up could not read whether it has options: pg_dump leaves those out"
    return inconclusive(f"schema {name}", text, "GRANT pg_read_all_data TO it, then back up again")


def _note_undumped(name: str) -> Check | None:
    """pg_dump skips what was added to an extension's table; only what the extension creates comes back."""
    if not name.startswith(EXTENSIONS_OWN):
        return None
    return note(f"schema {name}", f"not in this backup: {name.removeprefix(EXTENSIONS_OWN).strip()}, on an extension's")


def loosen(definition: str) -> str:
    """Removes brackets, casts and white space outside quotes. Texts that are only equal this way are not equal: the
    comparison of an old manifest is inconclusive for them."""
    parts = re.split(r"('(?:[^']|'')*')", definition)
    return "".join(part if part.startswith("'") else re.sub(r"[()\s]", "", _CAST.sub("", part)) for part in parts)


def _describe_difference(expected: str, restored: str) -> str:
    start = next((i for i, (a, b) in enumerate(zip(expected, restored, strict=False)) if a != b), None)
    start = min(len(expected), len(restored)) if start is None else start
    start = max(0, start - 20)
    return f"restored '{_excerpt(restored, start)}', in the manifest '{_excerpt(expected, start)}'"


def _excerpt(text: str, start: int) -> str:
    excerpt = " ".join(text[start : start + _SHOWN].split())
    return ("..." if start else "") + excerpt + ("..." if len(text) > start + _SHOWN else "")


def compare_large_objects(expected: Content, restored: Content) -> Iterator[Check]:
    before, after = expected.large_objects, restored.large_objects
    wrong = [oid for oid in sorted(before.keys() | after.keys(), key=int) if before.get(oid) != after.get(oid)]
    for oid in wrong:
        difference = "missing" if oid not in after else "not in the manifest" if oid not in before else "differs"
        yield failed(f"large object {oid}", f"large object {oid}: {difference}")
    if before and not wrong:
        yield ok("large objects", f"large objects: {len(before)} equal, {sum(o.length for o in before.values())} bytes")


def compare_globals(
    expected: Globals, restored: Globals, updatable: frozenset[tuple[str, str]] = frozenset()
) -> Iterator[Check]:
    wrong = [*_global_differences(expected, restored)]
    if not wrong:
        yield ok(
            "globals",
            f"globals: {len(expected.roles)} roles, {len(expected.memberships)} memberships,"
            f" {len(expected.settings)} settings, grants on the database and locale equal",
        )
    yield from wrong
    for name, version in expected.extensions.items():
        restored_version = restored.extensions.get(name)
        if restored_version is None or restored_version == version:
            continue
        if (name, version) in updatable:
            text = (
                f"extension {name}: {version} in the source, {restored_version} here: a dump names none, the newer came"
            )
            yield note(f"extension {name}", text)
        else:
            yield inconclusive(
                f"extension {name}",
                f"extension {name}: {version} in the source, {restored_version} here",
                "prove with an image that has the source's version",
            )


def _global_differences(expected: Globals, restored: Globals) -> Iterator[Check]:
    pairs: list[tuple[str, Mapping[str, object], Mapping[str, object]]] = [
        ("role", expected.roles, restored.roles),
        ("membership", _memberships(expected), _memberships(restored)),
        ("setting", _settings(expected), _settings(restored)),
        ("grants on parameter", expected.parameters, restored.parameters),
        ("database", _database_properties(expected), _database_properties(restored)),
    ]
    for kind, before, after in pairs:
        for name in sorted(before.keys() | after.keys()):
            if before.get(name) != after.get(name):
                difference = _describe_state(before.get(name), after.get(name))
                yield failed(f"{kind} {name}", f"{kind} {name}: {difference}")


def _describe_state(before: object, after: object) -> str:
    if after is None:
        return "missing"
    if before is None:
        return "not in the manifest"
    return f"restored {after}, in the manifest {before}"


def _memberships(globals_: Globals) -> dict[str, object]:
    return {
        f"{m.member} in {m.role} by {m.grantor}": f"admin {m.admin}, inherit {m.inherit}, set {m.set}"
        for m in globals_.memberships
    }


def _settings(globals_: Globals) -> dict[str, object]:
    return {f"{s.name} of {s.role or 'all'}{' here' if s.here else ''}": s.value for s in globals_.settings}


def _database_properties(globals_: Globals) -> dict[str, object]:
    database = globals_.database
    grants = [f"{g.grantee or 'PUBLIC'}={g.privilege}{'*' if g.grantable else ''}" for g in database.grants]
    return {
        "owner": database.owner,
        "locale": (database.encoding, database.provider, database.collate, database.ctype, database.locale),
        "icu rules": database.icu_rules or "",
        "connection limit": database.connection_limit,
        "grants": ",".join(sorted(grants)),
    }


def compare_heads(manifest: Manifest, restored: Content) -> Iterator[Check]:
    if manifest.migration_heads_query is None:
        return
    expected = manifest.content.migration_heads
    if expected == restored.migration_heads:
        yield ok("migrations", f"migrations: {len(expected or ())} heads equal")
    else:
        before, after = set(expected or ()), set(restored.migration_heads or ())
        missing = [" ".join(head) for head in sorted(before - after)]
        added = [" ".join(head) for head in sorted(after - before)]
        text = f"migrations: missing {', '.join(missing) or 'none'}; not in the manifest {', '.join(added) or 'none'}"
        yield failed("migrations", text)


def failures(checks: Iterable[Check]) -> list[Check]:
    return [check for check in checks if check.result == "failed"]
