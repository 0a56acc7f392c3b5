"""What was restored against what the manifest holds: pure, every difference named. The judge's heart, and what the
blindness test (B30) is aimed at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from ledgervault.content import Content, Globals, Sequence, SequenceValue, Table
from ledgervault.manifest import Manifest
from ledgervault.proof import Check, failed, inconclusive, note, ok

_SHOWN = 60
_CAST = re.compile(
    r"::(?:\"[^\"]+\"|[a-z_][\w.]*)(?: (?:varying|precision|with(?:out)? time zone))?(?:\(\d+(?:,\d+)?\))?(?:\[\])*"
)


def compare(manifest: Manifest, restored: Content) -> list[Check]:
    """Everything the manifest holds, against a copy restored into a server of its own."""
    expected = manifest.content
    checks = [
        *tables(expected.tables, restored.tables),
        *watched(manifest, restored.tables),
        *sequences(expected.sequences, manifest.sequences_dumped, restored.sequences),
        *schema(expected.schema, restored.schema),
        *large_objects(expected, restored),
        *globals_(expected.globals, restored.globals),
        *heads(manifest, restored),
    ]
    return checks


def compare_live(manifest: Manifest, live: Content) -> list[Check]:
    """Against a database on a server that has roles and settings of its own: those are left out."""
    expected = manifest.content
    return [
        *tables(expected.tables, live.tables),
        *watched(manifest, live.tables),
        *sequences(expected.sequences, manifest.sequences_dumped, live.sequences),
        *schema(expected.schema, live.schema),
        *large_objects(expected, live),
        *heads(manifest, live),
    ]


def compared_anything(manifest: Manifest) -> bool:
    """Comparing nothing with nothing is no comparison."""
    return manifest.content.rows > 0 or bool(manifest.content.large_objects)


def tables(expected: Mapping[str, Table], restored: Mapping[str, Table]) -> Iterator[Check]:
    if not expected:
        yield inconclusive(
            "tables", "the manifest holds no tables: nothing was compared", "is this the right database?"
        )
    elif not any(table.rows for table in expected.values()):
        yield inconclusive("tables", f"all {len(expected)} tables were empty: nothing was compared")
    for name in sorted(expected.keys() | restored.keys()):
        yield _table(name, expected.get(name), restored.get(name))


def _table(name: str, expected: Table | None, restored: Table | None) -> Check:
    id_ = f"table {name}"
    if restored is None:
        return failed(id_, f"table {name}: missing, {_rows(expected)} in the manifest")
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


def _rows(table: Table | None) -> str:
    return f"{table.rows if table else 0} rows"


def watched(manifest: Manifest, restored: Mapping[str, Table]) -> Iterator[Check]:
    """The tables the owner wants to hear of. A fresh ledger is fine; one that had rows and has none is not."""
    for name, what in manifest.watched.items():
        expected = manifest.content.tables.get(name)
        count = restored[name].rows if name in restored else 0
        if expected is not None and (expected.rows or count):
            yield note(f"watched {name}", f"{count} {what.noun}")
        elif what.expect_rows:
            yield inconclusive(
                f"watched {name}",
                f"table {name}: 0 {what.noun} here and in the manifest, where rows are expected",
                "if they were deleted on purpose, set expect_rows to never",
            )
        else:
            yield note(f"watched {name}", f"0 {what.noun}: {what.empty}")


def sequences(
    expected: Mapping[str, Sequence], dumped: Mapping[str, SequenceValue], restored: Mapping[str, Sequence]
) -> Iterator[Check]:
    for name in sorted(expected.keys() | dumped.keys() | restored.keys()):
        yield _sequence(name, expected.get(name), dumped.get(name), restored.get(name))


def _sequence(name: str, before: Sequence | None, dumped: SequenceValue | None, after: Sequence | None) -> Check:
    id_ = f"sequence value {name}"
    if after is None:
        return failed(id_, f"sequence {name}: missing")
    if before is None:
        return failed(id_, f"sequence {name}: restored, not in the manifest")
    if dumped is None:
        return failed(id_, f"sequence {name}: the dump sets no value for it")
    seen = SequenceValue(after.last_value, after.is_called)
    if seen != dumped:
        return failed(id_, f"sequence {name}: restored {_value(seen)}, the dump holds {_value(dumped)}")
    if not before.cycle and _behind(dumped, SequenceValue(before.last_value, before.is_called), before.increment):
        return failed(id_, f"sequence {name}: {_value(dumped)} in the dump, already {_value(before)} before it")
    return _owned(id_, name, before, after)


def _owned(id_: str, name: str, before: Sequence, after: Sequence) -> Check:
    """The next value must not collide with a row, unless the source itself was so (rows with ids given by hand)."""
    if after.owned_max is None or after.cycle or not _exceeds(after.owned_max, after):
        return ok(id_, f"sequence {name}: {_value(after)}")
    text = f"sequence {name}: {_value(after)} is behind {after.owned_max} in {after.owned_by}"
    if before.owned_max is not None and _exceeds(before.owned_max, before):
        return note(id_, f"{text}, as it was in the source")
    return failed(id_, text)


def _exceeds(owned_max: int, sequence: Sequence) -> bool:
    """A row has a value that the sequence is yet to give; one that was never used gives its last value next."""
    ahead = owned_max - sequence.last_value if sequence.increment > 0 else sequence.last_value - owned_max
    return ahead > 0 if sequence.is_called else ahead >= 0


def _behind(later: SequenceValue, earlier: SequenceValue, increment: int) -> bool:
    sign = 1 if increment > 0 else -1
    return (sign * later.last_value, later.is_called) < (sign * earlier.last_value, earlier.is_called)


def _value(value: Sequence | SequenceValue) -> str:
    return f"{value.last_value}{'' if value.is_called else ' (not yet used)'}"


def schema(expected: Mapping[str, str], restored: Mapping[str, str]) -> Iterator[Check]:
    """One check that all is there, and one for each object that is not, or is another."""
    wrong = [*_schema_differences(expected, restored)]
    if not any(check.result == "failed" for check in wrong) and expected:
        kinds = len({key.split(" ")[0] for key in expected})
        yield ok("schema", f"schema: {len(expected)} objects of {kinds} kinds equal")
    yield from wrong


def _schema_differences(expected: Mapping[str, str], restored: Mapping[str, str]) -> Iterator[Check]:
    for name in sorted(expected.keys() - restored.keys()):
        yield failed(f"schema {name}", f"{name}: missing")
    for name in sorted(restored.keys() - expected.keys()):
        if name == "schema public" or name == "comment on schema public":
            yield note(f"schema {name}", f"{name}: every new database has it, the source had dropped it")
        else:
            yield failed(f"schema {name}", f"{name}: not in the manifest")
    for name in sorted(expected.keys() & restored.keys()):
        if expected[name] == restored[name]:
            continue
        if loosely(expected[name]) == loosely(restored[name]):
            yield note(f"schema {name}", f"{name}: equal but for casts and brackets that PostgreSQL writes anew")
        else:
            yield failed(f"schema {name}", f"{name}: {_difference(expected[name], restored[name])}")


def loosely(definition: str) -> str:
    """PostgreSQL writes some expressions differently once they were read again (`varchar IN (...)` in a check): the
    casts move and the brackets with them. Quoted text is left alone."""
    parts = re.split(r"('(?:[^']|'')*')", definition)
    return "".join(part if part.startswith("'") else re.sub(r"[()\s]", "", _CAST.sub("", part)) for part in parts)


def _difference(expected: str, restored: str) -> str:
    start = next((i for i, (a, b) in enumerate(zip(expected, restored, strict=False)) if a != b), None)
    start = min(len(expected), len(restored)) if start is None else start
    start = max(0, start - 20)
    return f"restored '{_cut(restored, start)}', in the manifest '{_cut(expected, start)}'"


def _cut(text: str, start: int) -> str:
    shown = " ".join(text[start : start + _SHOWN].split())
    return ("..." if start else "") + shown + ("..." if len(text) > start + _SHOWN else "")


def large_objects(expected: Content, restored: Content) -> Iterator[Check]:
    before, after = expected.large_objects, restored.large_objects
    wrong = [oid for oid in sorted(before.keys() | after.keys(), key=int) if before.get(oid) != after.get(oid)]
    for oid in wrong:
        what = "missing" if oid not in after else "not in the manifest" if oid not in before else "differs"
        yield failed(f"large object {oid}", f"large object {oid}: {what}")
    if before and not wrong:
        yield ok("large objects", f"large objects: {len(before)} equal, {sum(o.length for o in before.values())} bytes")


def globals_(expected: Globals, restored: Globals) -> Iterator[Check]:
    wrong = [*_global_differences(expected, restored)]
    if not wrong:
        yield ok(
            "globals",
            f"globals: {len(expected.roles)} roles, {len(expected.memberships)} memberships,"
            f" {len(expected.settings)} settings, grants on the database and locale equal",
        )
    yield from wrong
    for name, version in expected.extensions.items():
        seen = restored.extensions.get(name)
        if seen is not None and seen != version:
            yield inconclusive(
                f"extension {name}",
                f"extension {name}: {version} in the source, {seen} here",
                "prove with an image that has the source's version",
            )


def _global_differences(expected: Globals, restored: Globals) -> Iterator[Check]:
    pairs: list[tuple[str, Mapping[str, object], Mapping[str, object]]] = [
        ("role", expected.roles, restored.roles),
        ("membership", _memberships(expected), _memberships(restored)),
        ("setting", _settings(expected), _settings(restored)),
        ("grants on parameter", expected.parameters, restored.parameters),
        ("database", _database(expected), _database(restored)),
    ]
    for kind, before, after in pairs:
        for name in sorted(before.keys() | after.keys()):
            if before.get(name) != after.get(name):
                seen = _state(before.get(name), after.get(name))
                yield failed(f"{kind} {name}", f"{kind} {name}: {seen}")


def _state(before: object, after: object) -> str:
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


def _database(globals_: Globals) -> dict[str, object]:
    database = globals_.database
    grants = [f"{g.grantee or 'PUBLIC'}={g.privilege}{'*' if g.grantable else ''}" for g in database.grants]
    return {
        "owner": database.owner,
        "locale": (database.encoding, database.provider, database.collate, database.ctype, database.locale),
        "icu rules": database.icu_rules or "",
        "connection limit": database.connection_limit,
        "grants": ",".join(sorted(grants)),
    }


def heads(manifest: Manifest, restored: Content) -> Iterator[Check]:
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


def shrunken(before: int, after: int, allowed_percent: int) -> bool:
    """Fewer rows than before, by more than is allowed."""
    return after < before * (100 - allowed_percent) / 100


def failures(checks: Iterable[Check]) -> list[Check]:
    return [check for check in checks if check.result == "failed"]
