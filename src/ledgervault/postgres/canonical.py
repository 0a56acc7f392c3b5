"""Has the server rewrite a definition, to learn whether two texts mean the same.

PostgreSQL stores an expression in parsed form and writes it anew when asked: `x IN ('a', 'b')` on a varchar comes back
with its casts in other places. So a restored text that differs from the manifest's may mean the same. The server
decides: the object is created from the manifest's text (expressions of a table on a copy without rows), the server
writes it, and the transaction is rolled back. If that text equals the restored one, both are one definition. Texts are
never judged by their look.
"""
# ruff: noqa: S608  - names are quoted by the server; definitions come from a manifest that is believed by then

from __future__ import annotations

from collections.abc import Callable, Mapping

import psycopg

from ledgervault.postgres import database
from ledgervault.postgres.database import Connection
from ledgervault.postgres.sql import identifier, literal

_Writer = Callable[[Connection, list[str], str], str | None]
_NAME = "ledgervault copy"
_COPY = identifier(_NAME)
_NOT_VALID = " NOT VALID"


def canonical_texts(connection: Connection, texts: Mapping[str, str]) -> dict[str, str]:
    """How this server writes those `texts` (by their keys in the schema) that it can create. It changes nothing."""
    canonical = {}
    for key, text in texts.items():
        kind = kind_of(key)
        if kind is None:
            continue
        try:
            with connection.transaction(force_rollback=True):
                server_text = _WRITERS[kind](
                    connection, _name_parts(connection, kind, key.removeprefix(kind + " ")), text
                )
        except (psycopg.Error, LookupError):
            continue  # an object that cannot be created here is not equal
        if server_text is not None:
            canonical[key] = server_text
    return canonical


def kind_of(key: str) -> str | None:
    """The kind of an object that can be created again; None for all other keys of the schema."""
    return next((kind for kind in _WRITERS if key.startswith(kind + " ")), None)


def _name_parts(connection: Connection, kind: str, name: str) -> list[str]:
    """`public.t.x` -> [public, t, x]. A function's name includes its arguments and stays whole."""
    if kind in _BY_SIGNATURE:
        return [name]
    return list(database.row(connection, f"SELECT parse_ident({literal(name)})")[0])


def _execute(connection: Connection, statement: str) -> None:
    connection.execute(statement.encode())


def _read_text(connection: Connection, query: str) -> str:
    return str(database.row(connection, query)[0])


def _quoted(parts: list[str]) -> str:
    return ".".join(identifier(part) for part in parts)


def _oid(parts: list[str], kind: str = "regclass") -> str:
    return f"{literal(_quoted(parts))}::{kind}"


def _create_copy(connection: Connection, relation: list[str], including: str = "") -> str:
    """A table with the same name and columns but no rows: expressions may name the whole row by the table's name."""
    name = "pg_temp." + identifier(relation[-1])
    _execute(connection, f"CREATE TEMPORARY TABLE {identifier(relation[-1])} (LIKE {_quoted(relation)}{including})")
    return name


def _write_constraint(connection: Connection, parts: list[str], text: str) -> str | None:
    relation = parts[:2]
    if text.startswith("EXCLUDE"):
        copy = _create_copy(connection, relation)
        _execute(connection, f"ALTER TABLE {copy} ADD CONSTRAINT {_COPY} {text}")
        return _constraint_text(connection, f"conrelid = {literal(copy)}::regclass")
    valid = text.removesuffix(_NOT_VALID)
    _execute(connection, f"ALTER TABLE {_quoted(relation)} ADD CONSTRAINT {_COPY} {valid}{_NOT_VALID}")
    server_text = _constraint_text(connection, f"conrelid = {_oid(relation)}")
    return server_text if text != valid else server_text.removesuffix(_NOT_VALID)


def _write_domain_constraint(connection: Connection, parts: list[str], text: str) -> str | None:
    valid = text.removesuffix(_NOT_VALID)
    _execute(connection, f"ALTER DOMAIN {_quoted(parts[:2])} ADD CONSTRAINT {_COPY} {valid}{_NOT_VALID}")
    server_text = _constraint_text(connection, f"contypid = {_oid(parts[:2], 'regtype')}")
    return server_text if text != valid else server_text.removesuffix(_NOT_VALID)


def _constraint_text(connection: Connection, condition: str) -> str:
    is_copy = f"conname = {literal(_NAME)} AND {condition}"
    return _read_text(connection, f"SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE {is_copy}")


def _write_default(connection: Connection, parts: list[str], text: str) -> str | None:
    relation, column = parts[:2], parts[2]
    _execute(connection, f"ALTER TABLE {_quoted(relation)} ALTER COLUMN {identifier(column)} SET DEFAULT {text}")
    return _column_text(connection, _oid(relation), column)


def _write_generation(connection: Connection, parts: list[str], text: str) -> str | None:
    relation, column = parts[:2], parts[2]
    copy = _create_copy(connection, relation, " INCLUDING GENERATED")
    _execute(connection, f"ALTER TABLE {copy} ALTER COLUMN {identifier(column)} SET EXPRESSION AS ({text})")
    return _column_text(connection, f"{literal(copy)}::regclass", column)


def _column_text(connection: Connection, relation: str, column: str) -> str:
    return _read_text(
        connection,
        "SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid"
        f" AND a.attnum = d.adnum WHERE d.adrelid = {relation} AND a.attname = {literal(column)}",
    )


def _write_index(connection: Connection, parts: list[str], text: str) -> str | None:
    table = database.row(
        connection,
        "SELECT n.nspname, c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid"
        f" JOIN pg_namespace n ON n.oid = c.relnamespace WHERE i.indexrelid = {_oid(parts)}",
    )
    current = _read_text(connection, f"SELECT pg_get_indexdef({_oid(parts)})")
    head, mark, _ = current.partition(" USING ")
    if not text.startswith(head + mark):
        return None  # another table, or unique and not
    copy = _create_copy(connection, list(table))
    unique = "UNIQUE " if head.startswith("CREATE UNIQUE ") else ""
    _execute(connection, f"CREATE {unique}INDEX {_COPY} ON {copy}{text.removeprefix(head)}")
    server_text = _read_text(connection, f"SELECT pg_get_indexdef({literal('pg_temp.' + _COPY)}::regclass)")
    return head + server_text[server_text.index(mark) :]


def _write_query(connection: Connection, _: list[str], text: str) -> str | None:
    _execute(connection, f"CREATE TEMPORARY VIEW {_COPY} AS {text}")
    return _read_text(connection, f"SELECT pg_get_viewdef({literal('pg_temp.' + _COPY)}::regclass)")


def _write_rule(connection: Connection, parts: list[str], text: str) -> str | None:
    _execute(connection, text.replace("CREATE RULE", "CREATE OR REPLACE RULE", 1))
    condition = f"ev_class = {_oid(parts[:2])} AND rulename = {literal(parts[2])}"
    return _read_text(connection, f"SELECT pg_get_ruledef(oid) FROM pg_rewrite WHERE {condition}")


def _write_trigger(connection: Connection, parts: list[str], text: str) -> str | None:
    _execute(connection, f"DROP TRIGGER {identifier(parts[2])} ON {_quoted(parts[:2])}")
    _execute(connection, text)
    condition = f"tgrelid = {_oid(parts[:2])} AND tgname = {literal(parts[2])}"
    return _read_text(connection, f"SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE {condition}")


def _write_policy(column: str, clause: str) -> _Writer:
    def write(connection: Connection, parts: list[str], text: str) -> str | None:
        _execute(connection, f"ALTER POLICY {identifier(parts[2])} ON {_quoted(parts[:2])} {clause} ({text})")
        condition = f"polrelid = {_oid(parts[:2])} AND polname = {literal(parts[2])}"
        return _read_text(connection, f"SELECT pg_get_expr({column}, polrelid) FROM pg_policy WHERE {condition}")

    return write


def _write_function(connection: Connection, name: list[str], text: str) -> str | None:
    """The statement itself names a function. An unchanged oid with a new row version confirms that it was this one."""
    oid = _read_text(
        connection,
        "SELECT p.oid FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE"
        f" format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)) = {literal(name[0])}",
    )
    stamp = f"SELECT xmin::text || ctid::text FROM pg_proc WHERE oid = {oid}"
    before = _read_text(connection, stamp)
    _execute(connection, text)
    return (
        _read_text(connection, f"SELECT pg_get_functiondef({oid})") if _read_text(connection, stamp) != before else None
    )


def _write_statistics(connection: Connection, parts: list[str], text: str) -> str | None:
    _execute(connection, f"DROP STATISTICS {_quoted(parts)}")
    _execute(connection, text)
    condition = f"stxnamespace = {_oid(parts[:1], 'regnamespace')} AND stxname = {literal(parts[1])}"
    return _read_text(connection, f"SELECT pg_get_statisticsobjdef(oid) FROM pg_statistic_ext WHERE {condition}")


def _write_partition_key(connection: Connection, parts: list[str], text: str) -> str | None:
    _execute(connection, f"CREATE TEMPORARY TABLE {_COPY} (LIKE {_quoted(parts)}) PARTITION BY {text}")
    return _read_text(connection, f"SELECT pg_get_partkeydef({literal('pg_temp.' + _COPY)}::regclass)")


def _write_domain_default(connection: Connection, parts: list[str], text: str) -> str | None:
    _execute(connection, f"ALTER DOMAIN {_quoted(parts)} SET DEFAULT {text}")
    expression = "pg_get_expr(typdefaultbin, 'pg_type'::regclass)"
    return _read_text(connection, f"SELECT {expression} FROM pg_type WHERE oid = {_oid(parts, 'regtype')}")


def _write_publication_filter(connection: Connection, parts: list[str], text: str) -> str | None:
    _execute(connection, f"CREATE PUBLICATION {_COPY} FOR TABLE {_quoted(parts[:2])} WHERE ({text})")
    name = literal(_NAME)
    return _read_text(
        connection,
        "SELECT pg_get_expr(r.prqual, r.prrelid) FROM pg_publication_rel r"
        f" JOIN pg_publication p ON p.oid = r.prpubid WHERE p.pubname = {name}",
    )


_BY_SIGNATURE = {"function", "procedure"}
_WRITERS: dict[str, _Writer] = {
    "constraint": _write_constraint,
    "domain constraint": _write_domain_constraint,
    "default of": _write_default,
    "generation of": _write_generation,
    "index": _write_index,
    "query of view": _write_query,
    "query of materialized view": _write_query,
    "rule": _write_rule,
    "trigger": _write_trigger,
    "policy using of": _write_policy("polqual", "USING"),
    "policy check of": _write_policy("polwithcheck", "WITH CHECK"),
    "function": _write_function,
    "procedure": _write_function,
    "statistics": _write_statistics,
    "partition key of": _write_partition_key,
    "domain default of": _write_domain_default,
    "rows published": _write_publication_filter,
}
