"""Queries about a database's content, for the source and for the copy. This module runs nothing.

Each answer must be equal before and after a dump and a restore, and must differ if anything was lost. So they use no
oids, no column numbers and no order of creation, spell out grants instead of defaults, and skip names that the restore
generates (partitions' foreign keys and triggers).
"""
# ruff: noqa: S608, E501  - the parts put together are constants of this file, never input; SQL keeps its own lines

from __future__ import annotations

from collections.abc import Iterable

from ledgervault.postgres.definitions import FIRST_USER_OID, JOIN_RELATION, RELATION, acl
from ledgervault.postgres.sql import identifier, literal

# Texts of values depend on these; hashes are only comparable under the same ones.
PINNED = {
    "search_path": "",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "xmloption": "content",
    "jit": "off",
    "quote_all_identifiers": "off",
    "row_security": "off",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "transaction_timeout": "0",
    "client_encoding": "UTF8",
}

_RELATION, _JOIN_RELATION = RELATION, JOIN_RELATION
# Tables whose rows a backup must bring back, including an extension's and users' tables in a schema of the server.
_RELATION_FILTER = f"c.relpersistence <> 't' AND n.nspname !~ '^pg_toast' AND c.oid >= {FIRST_USER_OID}"

# Types whose binary form is equal exactly if their text is, holds no oid, and is cheaper to make than their text. Arrays
# of them too. Every other type, and every type of a user or an extension, goes as text.
_BINARY = """
'bool', 'bytea', 'char', 'name', 'int2', 'int4', 'int8', 'float4', 'float8', 'numeric', 'money', 'text',
'varchar', 'bpchar', 'json', 'jsonb', 'uuid', 'date', 'time', 'timetz', 'timestamp', 'timestamptz', 'interval',
'inet', 'cidr', 'macaddr', 'macaddr8', 'bit', 'varbit', 'point', 'line', 'lseg', 'box', 'path', 'polygon',
'circle', 'tsvector'
"""

_COLUMN = f"""
quote_ident(a.attname) || CASE WHEN coalesce(element.oid, t.oid) < 16384
  AND coalesce(element.typname, t.typname) IN ({_BINARY}) THEN '' ELSE '::text' END
""".strip()

TABLES = f"""
SELECT c.oid::text, {_RELATION},
       (SELECT array_agg({_COLUMN} ORDER BY a.attname COLLATE "C")
          FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
          LEFT JOIN pg_type element ON element.typarray = t.oid
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), pg_relation_size(c.oid) / 8192
  {_JOIN_RELATION}
 WHERE c.relkind = 'r' AND {_RELATION_FILTER}
 ORDER BY 4 DESC, 2
"""

# For each table of TABLES: itself, what it is a part of (itself if of nothing), its columns' names, types, hashed texts,
# whether each is generated, the primary key's columns, pages. Large ones first.
LAYOUTS = f"""
SELECT {_RELATION},
       coalesce((SELECT format('%I.%I', rn.nspname, r.relname) FROM pg_class r JOIN pg_namespace rn ON rn.oid = r.relnamespace
                  WHERE r.oid = pg_partition_root(c.oid)), {_RELATION}),
       l.names, l.types, l.hashed, l.generated,
       (SELECT array_agg(a.attname::text ORDER BY k.place)
          FROM pg_index i, unnest(i.indkey) WITH ORDINALITY k(number, place)
          JOIN pg_attribute a ON a.attnum = k.number
         WHERE i.indrelid = c.oid AND a.attrelid = c.oid AND i.indisprimary AND k.place <= i.indnkeyatts),
       pg_relation_size(c.oid) / 8192
  {_JOIN_RELATION},
       LATERAL (SELECT array_agg(a.attname::text ORDER BY a.attname COLLATE "C") AS names,
                       array_agg(format_type(a.atttypid, a.atttypmod) ORDER BY a.attname COLLATE "C") AS types,
                       array_agg({_COLUMN} ORDER BY a.attname COLLATE "C") AS hashed,
                       array_agg(a.attgenerated <> '' ORDER BY a.attname COLLATE "C") AS generated
                  FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
                  LEFT JOIN pg_type element ON element.typarray = t.oid
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) l
 WHERE c.relkind = 'r' AND {_RELATION_FILTER}
 ORDER BY 8 DESC, 1
"""

# A session's initial values, before pinning: the text of values depends on them, and pg_dump sets none of them.
TEXT_SETTINGS = """
SELECT name, reset_val FROM pg_settings WHERE name IN ('TimeZone', 'bytea_output', 'lc_monetary') ORDER BY name
"""

LOCKABLE = f"""
SELECT {_RELATION} {_JOIN_RELATION} WHERE c.relkind IN ('r', 'p') AND {_RELATION_FILTER} ORDER BY c.oid
"""

SEQUENCES = f"""
SELECT {_RELATION}, s.seqincrement, s.seqcycle, quote_ident(tn.nspname) || '.' || quote_ident(t.relname), a.attname,
       format_type(a.atttypid, NULL) IN ('smallint', 'integer', 'bigint')
  {_JOIN_RELATION}
  JOIN pg_sequence s ON s.seqrelid = c.oid
  LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
   AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
  LEFT JOIN pg_class t ON t.oid = d.refobjid
  LEFT JOIN pg_namespace tn ON tn.oid = t.relnamespace
  LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
 WHERE c.relkind = 'S' AND {_RELATION_FILTER}
 ORDER BY 1
"""

# Tables and sequences that an extension made, and whose.
OF_EXTENSIONS = f"""
SELECT {_RELATION}, x.extname {_JOIN_RELATION}
  JOIN pg_depend e ON e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e'
  JOIN pg_extension x ON x.oid = e.refobjid
 WHERE c.relkind IN ('r', 'S') AND {_RELATION_FILTER} ORDER BY 1
"""

# Partitions whose rows may be loaded into another partition, and the table that holds both: an enum value's hash is
# that of its oid, and the copy has other oids.
MOVING = f"""
SELECT {_RELATION}, (
    SELECT format('%I.%I', tn.nspname, t.relname)
      FROM pg_partition_ancestors(c.oid) WITH ORDINALITY a(relid, place)
      JOIN pg_partitioned_table p ON p.partrelid = a.relid
      JOIN pg_class t ON t.oid = a.relid JOIN pg_namespace tn ON tn.oid = t.relnamespace
     WHERE EXISTS (SELECT FROM pg_opclass k JOIN pg_am m ON m.oid = k.opcmethod
                    WHERE k.oid = ANY (p.partclass) AND m.amname = 'hash' AND k.opcintype = 'anyenum'::regtype)
     ORDER BY a.place DESC LIMIT 1)
  {_JOIN_RELATION} WHERE c.relkind = 'r' AND c.relispartition AND {_RELATION_FILTER} ORDER BY 1
"""

# Versions of extensions that can be updated to the installed one.
UPDATABLE = """
SELECT x.extname, p.source FROM pg_extension x, pg_extension_update_paths(x.extname) p
 WHERE p.target = x.extversion AND p.path IS NOT NULL
"""

LARGE_OBJECTS = f"""
SELECT m.oid, pg_get_userbyid(m.lomowner), {acl("m.lomacl", "L", "m.lomowner")}
  FROM pg_largeobject_metadata m ORDER BY m.oid
"""

BOOTSTRAP = "SELECT rolname FROM pg_roles WHERE oid = 10"

ROLES = """
SELECT rolname,
       ARRAY[CASE WHEN rolsuper THEN 'SUPERUSER' ELSE 'NOSUPERUSER' END,
             CASE WHEN rolinherit THEN 'INHERIT' ELSE 'NOINHERIT' END,
             CASE WHEN rolcreaterole THEN 'CREATEROLE' ELSE 'NOCREATEROLE' END,
             CASE WHEN rolcreatedb THEN 'CREATEDB' ELSE 'NOCREATEDB' END,
             CASE WHEN rolcanlogin THEN 'LOGIN' ELSE 'NOLOGIN' END,
             CASE WHEN rolreplication THEN 'REPLICATION' ELSE 'NOREPLICATION' END,
             CASE WHEN rolbypassrls THEN 'BYPASSRLS' ELSE 'NOBYPASSRLS' END],
       rolconnlimit, rolvaliduntil::text
  FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY rolname
"""

MEMBERSHIPS = """
SELECT pg_get_userbyid(m.roleid), pg_get_userbyid(m.member), pg_get_userbyid(m.grantor),
       m.admin_option, m.inherit_option, m.set_option
  FROM pg_auth_members m WHERE pg_get_userbyid(m.member) !~ '^pg_' ORDER BY 1, 2, 3
"""

SETTINGS = """
SELECT r.rolname, s.setdatabase <> 0, split_part(c, '=', 1), substr(c, strpos(c, '=') + 1)
  FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) c
 WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
   AND coalesce(r.rolname, '') !~ '^pg_'
 ORDER BY 1 NULLS FIRST, 2, 3
"""

PARAMETERS = """
SELECT p.parname, CASE a.grantee WHEN 0 THEN NULL ELSE pg_get_userbyid(a.grantee) END, a.privilege_type, a.is_grantable
  FROM pg_parameter_acl p, aclexplode(p.paracl) a ORDER BY 1, 2 NULLS FIRST, 3
"""

DATABASE = """
SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datlocprovider::text, datcollate, datctype, datlocale,
       daticurules, datconnlimit
  FROM pg_database WHERE datname = current_database()
"""

DATABASE_GRANTS = """
SELECT CASE a.grantee WHEN 0 THEN NULL ELSE pg_get_userbyid(a.grantee) END, a.privilege_type, a.is_grantable
  FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) a
 WHERE datname = current_database() ORDER BY 1 NULLS FIRST, 2
"""

EXTENSIONS = "SELECT extname, extversion FROM pg_extension ORDER BY extname"

EXPORT = "SELECT pg_export_snapshot(), now()::text, pg_current_wal_lsn()::text"


def table_content(table: str, columns: Iterable[str]) -> str:
    """Count, sum and xor of a 64-bit hash of each whole row, its values as text or in their binary form. Not
    PostgreSQL's own hashes of values: they call 1.5 and 1.50, 0 and -0, and (for bigint and timestamps) some far-apart
    values equal, and their hash of a record adds columns up, so that values may change places.

    The row goes as bytes, for which the only hash SQL can reach is that of an array of them (as text in hex it costs
    half as much again). OFFSET 0 keeps the planner from putting the hash into both sums, to be computed twice; unlike
    a limit it allows parallel workers.
    """
    row = f"record_send(ROW({', '.join('t.' + column for column in columns)}))"
    return (
        "SELECT count(*), coalesce(sum(h), 0)::text, coalesce(bit_xor(h), 0)::text"
        f" FROM (SELECT hash_array_extended(ARRAY[{row}], 0) AS h FROM ONLY {table} t OFFSET 0) q"
    )


def tables_content(tables: Iterable[tuple[str, Iterable[str]]]) -> str:
    """`table_content` of several tables in the given order: many small tables would cost a round trip each."""
    parts = [f"SELECT {n}, q.* FROM ({table_content(name, columns)}) q" for n, (name, columns) in enumerate(tables)]
    return " UNION ALL ".join(parts) + " ORDER BY 1"


def disarm_table(table: str) -> str:
    """Statements that allow deleting a row despite triggers and rules that always fire, and publications that need a
    key. The caller rolls them back."""
    return (
        f"SELECT format('ALTER TABLE {_quoted(table)} DISABLE TRIGGER ALL')"
        f" UNION ALL SELECT format('ALTER TABLE {_quoted(table)} DISABLE RULE %I', rulename) FROM pg_rewrite"
        f" WHERE ev_class = {literal(table)}::regclass"
        " UNION ALL SELECT format('DROP PUBLICATION %I', pubname) FROM pg_publication"
    )


# For each trigger that blocks TRUNCATE even in a replica: the statements that disable and enable it.
TRUNCATE_TRIGGERS = f"""
SELECT format('ALTER TABLE ONLY %s DISABLE TRIGGER %I', {_RELATION}, t.tgname),
       format('ALTER TABLE ONLY %s ENABLE %s TRIGGER %I', {_RELATION}, CASE t.tgenabled WHEN 'A' THEN 'ALWAYS' ELSE 'REPLICA' END, t.tgname)
  {_JOIN_RELATION} JOIN pg_trigger t ON t.tgrelid = c.oid
 WHERE t.tgenabled IN ('A', 'R') AND t.tgtype & 32 <> 0 AND NOT t.tgisinternal AND {_RELATION_FILTER}
"""


def _quoted(name: str) -> str:
    """Quoted for a literal that `format` reads."""
    return name.replace("'", "''").replace("%", "%%")


def mark_unlogged(table: str) -> str:
    """Marks a table and its TOAST table if they are logged. Returns the oids of the marked ones."""
    return (
        "UPDATE pg_class c SET relpersistence = 'u' FROM pg_class t"
        f" WHERE t.oid = {literal(table)}::regclass AND c.oid IN (t.oid, t.reltoastrelid) AND c.relpersistence = 'p'"
        " RETURNING c.oid"
    )


def mark_logged(oids: Iterable[int]) -> str:
    return f"UPDATE pg_class SET relpersistence = 'p' WHERE oid IN ({', '.join(map(str, oids)) or 'NULL'})"


def lock_tables(tables: Iterable[str]) -> str:
    return f"LOCK TABLE {', '.join('ONLY ' + table for table in tables)} IN ACCESS SHARE MODE"


def tables_rows(tables: Iterable[str]) -> str:
    parts = [f"SELECT {n}, (SELECT count(*) FROM ONLY {name})" for n, name in enumerate(tables)]
    return " UNION ALL ".join(parts) + " ORDER BY 1"


def truncate(tables: Iterable[str]) -> str:
    return f"TRUNCATE {', '.join(tables)}"


def sequences_state(sequences: Iterable[tuple[str, str | None]]) -> str:
    """For each (sequence, query of its column's extreme or None): number, last_value, is_called, extreme."""
    parts = [
        f"SELECT {n}, last_value, is_called, ({extreme or 'NULL'})::bigint FROM {sequence}"
        for n, (sequence, extreme) in enumerate(sequences)
    ]
    return " UNION ALL ".join(parts) + " ORDER BY 1"


def column_extreme(table: str, column: str, descending: bool) -> str:
    return f"SELECT {'min' if descending else 'max'}({identifier(column)}) FROM {table}"


def large_object_part(oid: int, offset: int, length: int) -> str:
    return f"SELECT lo_get({oid}, {offset}, {length})"


def greatest(table: str, column: str) -> str:
    """`table` as the server writes it, `column` as it is called."""
    return f"SELECT max({identifier(column)})::text FROM {table}"
