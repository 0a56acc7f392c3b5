"""Definitions given to the throw-away server, to see how it writes them itself.

PostgreSQL keeps an expression as it understood it and writes it anew when asked: `x IN ('a', 'b')` on a varchar comes
back with its casts in other places. So a restored text that differs from the manifest's may mean the same. Whether it
does is PostgreSQL's to say: the object is made from the manifest's text (expressions of a table on a copy without
rows), written by the server, and what was made is taken back. Where that text equals the restored one, both are one
definition. Nothing is guessed from the look of a text.
"""
# ruff: noqa: S608  - names are quoted by the server; definitions come from a manifest that is believed by then

from __future__ import annotations

from collections.abc import Callable, Mapping

import psycopg

from ledgervault.postgres import database
from ledgervault.postgres.database import Connection
from ledgervault.postgres.sql import identifier, literal

_Way = Callable[[Connection, list[str], str], str | None]
_NAME = "ledgervault copy"
_COPY = identifier(_NAME)
_NOT_VALID = " NOT VALID"


def as_written_here(connection: Connection, texts: Mapping[str, str]) -> dict[str, str]:
    """How this server writes those of `texts` (by their keys in the schema) that it can make. Changes nothing."""
    written = {}
    for key, text in texts.items():
        kind = kind_of(key)
        if kind is None:
            continue
        try:
            with connection.transaction(force_rollback=True):
                made = _WAYS[kind](connection, _parts(connection, kind, key.removeprefix(kind + " ")), text)
        except (psycopg.Error, LookupError):
            continue  # what cannot be made here is not equal
        if made is not None:
            written[key] = made
    return written


def kind_of(key: str) -> str | None:
    """The kind of what can be made anew; None for all other keys of the schema."""
    return next((kind for kind in _WAYS if key.startswith(kind + " ")), None)


def _parts(connection: Connection, kind: str, name: str) -> list[str]:
    """`public.t.x` -> [public, t, x]; a function's name has its arguments and stays as it is."""
    if kind in _BY_SIGNATURE:
        return [name]
    return list(database.row(connection, f"SELECT parse_ident({literal(name)})")[0])


def _run(connection: Connection, statement: str) -> None:
    connection.execute(statement.encode())


def _text(connection: Connection, query: str) -> str:
    return str(database.row(connection, query)[0])


def _quoted(parts: list[str]) -> str:
    return ".".join(identifier(part) for part in parts)


def _oid(parts: list[str], kind: str = "regclass") -> str:
    return f"{literal(_quoted(parts))}::{kind}"


def _copy(connection: Connection, relation: list[str], including: str = "") -> str:
    """A table of the same columns and no rows, of the same name, so that a whole row is called as it was."""
    name = "pg_temp." + identifier(relation[-1])
    _run(connection, f"CREATE TEMPORARY TABLE {identifier(relation[-1])} (LIKE {_quoted(relation)}{including})")
    return name


def _check(connection: Connection, parts: list[str], text: str) -> str | None:
    relation = parts[:2]
    if text.startswith("EXCLUDE"):
        copy = _copy(connection, relation)
        _run(connection, f"ALTER TABLE {copy} ADD CONSTRAINT {_COPY} {text}")
        return _constraint(connection, f"conrelid = {literal(copy)}::regclass")
    valid = text.removesuffix(_NOT_VALID)
    _run(connection, f"ALTER TABLE {_quoted(relation)} ADD CONSTRAINT {_COPY} {valid}{_NOT_VALID}")
    made = _constraint(connection, f"conrelid = {_oid(relation)}")
    return made if text != valid else made.removesuffix(_NOT_VALID)


def _domain_check(connection: Connection, parts: list[str], text: str) -> str | None:
    valid = text.removesuffix(_NOT_VALID)
    _run(connection, f"ALTER DOMAIN {_quoted(parts[:2])} ADD CONSTRAINT {_COPY} {valid}{_NOT_VALID}")
    made = _constraint(connection, f"contypid = {_oid(parts[:2], 'regtype')}")
    return made if text != valid else made.removesuffix(_NOT_VALID)


def _constraint(connection: Connection, condition: str) -> str:
    named = f"conname = {literal(_NAME)} AND {condition}"
    return _text(connection, f"SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE {named}")


def _default(connection: Connection, parts: list[str], text: str) -> str | None:
    relation, column = parts[:2], parts[2]
    _run(connection, f"ALTER TABLE {_quoted(relation)} ALTER COLUMN {identifier(column)} SET DEFAULT {text}")
    return _column_expression(connection, _oid(relation), column)


def _generation(connection: Connection, parts: list[str], text: str) -> str | None:
    relation, column = parts[:2], parts[2]
    copy = _copy(connection, relation, " INCLUDING GENERATED")
    _run(connection, f"ALTER TABLE {copy} ALTER COLUMN {identifier(column)} SET EXPRESSION AS ({text})")
    return _column_expression(connection, f"{literal(copy)}::regclass", column)


def _column_expression(connection: Connection, relation: str, column: str) -> str:
    return _text(
        connection,
        "SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid"
        f" AND a.attnum = d.adnum WHERE d.adrelid = {relation} AND a.attname = {literal(column)}",
    )


def _index(connection: Connection, parts: list[str], text: str) -> str | None:
    table = database.row(
        connection,
        "SELECT n.nspname, c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid"
        f" JOIN pg_namespace n ON n.oid = c.relnamespace WHERE i.indexrelid = {_oid(parts)}",
    )
    shown = _text(connection, f"SELECT pg_get_indexdef({_oid(parts)})")
    head, mark, _ = shown.partition(" USING ")
    if not text.startswith(head + mark):
        return None  # another table, or unique and not
    copy = _copy(connection, list(table))
    unique = "UNIQUE " if head.startswith("CREATE UNIQUE ") else ""
    _run(connection, f"CREATE {unique}INDEX {_COPY} ON {copy}{text.removeprefix(head)}")
    made = _text(connection, f"SELECT pg_get_indexdef({literal('pg_temp.' + _COPY)}::regclass)")
    return head + made[made.index(mark) :]


def _query(connection: Connection, _: list[str], text: str) -> str | None:
    _run(connection, f"CREATE TEMPORARY VIEW {_COPY} AS {text}")
    return _text(connection, f"SELECT pg_get_viewdef({literal('pg_temp.' + _COPY)}::regclass)")


def _rule(connection: Connection, parts: list[str], text: str) -> str | None:
    _run(connection, text.replace("CREATE RULE", "CREATE OR REPLACE RULE", 1))
    condition = f"ev_class = {_oid(parts[:2])} AND rulename = {literal(parts[2])}"
    return _text(connection, f"SELECT pg_get_ruledef(oid) FROM pg_rewrite WHERE {condition}")


def _trigger(connection: Connection, parts: list[str], text: str) -> str | None:
    _run(connection, f"DROP TRIGGER {identifier(parts[2])} ON {_quoted(parts[:2])}")
    _run(connection, text)
    condition = f"tgrelid = {_oid(parts[:2])} AND tgname = {literal(parts[2])}"
    return _text(connection, f"SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE {condition}")


def _policy(column: str, clause: str) -> _Way:
    def way(connection: Connection, parts: list[str], text: str) -> str | None:
        _run(connection, f"ALTER POLICY {identifier(parts[2])} ON {_quoted(parts[:2])} {clause} ({text})")
        condition = f"polrelid = {_oid(parts[:2])} AND polname = {literal(parts[2])}"
        return _text(connection, f"SELECT pg_get_expr({column}, polrelid) FROM pg_policy WHERE {condition}")

    return way


def _function(connection: Connection, name: list[str], text: str) -> str | None:
    """The statement says whose definition it is; that it is this one's is seen by its oid staying."""
    oid = _text(
        connection,
        "SELECT p.oid FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE"
        f" format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)) = {literal(name[0])}",
    )
    stamp = f"SELECT xmin::text || ctid::text FROM pg_proc WHERE oid = {oid}"
    before = _text(connection, stamp)
    _run(connection, text)
    return _text(connection, f"SELECT pg_get_functiondef({oid})") if _text(connection, stamp) != before else None


def _statistics(connection: Connection, parts: list[str], text: str) -> str | None:
    _run(connection, f"DROP STATISTICS {_quoted(parts)}")
    _run(connection, text)
    condition = f"stxnamespace = {_oid(parts[:1], 'regnamespace')} AND stxname = {literal(parts[1])}"
    return _text(connection, f"SELECT pg_get_statisticsobjdef(oid) FROM pg_statistic_ext WHERE {condition}")


def _partition_key(connection: Connection, parts: list[str], text: str) -> str | None:
    _run(connection, f"CREATE TEMPORARY TABLE {_COPY} (LIKE {_quoted(parts)}) PARTITION BY {text}")
    return _text(connection, f"SELECT pg_get_partkeydef({literal('pg_temp.' + _COPY)}::regclass)")


def _domain_default(connection: Connection, parts: list[str], text: str) -> str | None:
    _run(connection, f"ALTER DOMAIN {_quoted(parts)} SET DEFAULT {text}")
    expression = "pg_get_expr(typdefaultbin, 'pg_type'::regclass)"
    return _text(connection, f"SELECT {expression} FROM pg_type WHERE oid = {_oid(parts, 'regtype')}")


def _rows_published(connection: Connection, parts: list[str], text: str) -> str | None:
    _run(connection, f"CREATE PUBLICATION {_COPY} FOR TABLE {_quoted(parts[:2])} WHERE ({text})")
    name = literal(_NAME)
    return _text(
        connection,
        "SELECT pg_get_expr(r.prqual, r.prrelid) FROM pg_publication_rel r"
        f" JOIN pg_publication p ON p.oid = r.prpubid WHERE p.pubname = {name}",
    )


_BY_SIGNATURE = {"function", "procedure"}
_WAYS: dict[str, _Way] = {
    "constraint": _check,
    "domain constraint": _domain_check,
    "default of": _default,
    "generation of": _generation,
    "index": _index,
    "query of view": _query,
    "query of materialized view": _query,
    "rule": _rule,
    "trigger": _trigger,
    "policy using of": _policy("polqual", "USING"),
    "policy check of": _policy("polwithcheck", "WITH CHECK"),
    "function": _function,
    "procedure": _function,
    "statistics": _statistics,
    "partition key of": _partition_key,
    "domain default of": _domain_default,
    "rows published": _rows_published,
}
