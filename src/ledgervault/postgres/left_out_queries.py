"""Queries for what a backup does not hold although the database has it: pg_dump skips it, or its role may not read it.

Apart from `definitions`, which holds what must come back. The source alone is asked; the manifest, `show` and each
proof report it. A comparison still finds lost rows.
"""
# ruff: noqa: S608, E501  - the parts put together are constants of this file, never input; SQL keeps its own lines

from __future__ import annotations

from ledgervault.postgres.definitions import FIRST_USER_OID, JOIN_RELATION, RELATION, USER_SCHEMA, of_extension

_SERVERS_OWN = f"NOT ({USER_SCHEMA}) AND n.nspname !~ '^pg_(toast|temp)'"


def _named(label: str, name: str, source: str) -> str:
    return f"SELECT '{label}: ' || string_agg(DISTINCT {name}, ', ' ORDER BY {name}) {source}"


def _made_in_catalogs(catalog: str, name: str, schema: str, kind: str) -> str:
    source = (
        f"FROM {catalog} x JOIN pg_namespace n ON n.oid = x.{schema} WHERE x.oid >= {FIRST_USER_OID} AND {_SERVERS_OWN}"
    )
    condition = f"{source} AND NOT {of_extension(catalog, 'x.oid')}"
    return _named(f"{kind} in a schema of the server", f"format('%I.%I', n.nspname, x.{name})", condition)


_PARTS = (
    _named(
        "passwords of roles (a restore makes the roles without)",
        "quote_ident(rolname)",
        "FROM pg_roles WHERE rolcanlogin AND rolname !~ '^pg_'",
    ),
    _named(
        "rows of an extension''s tables that it does not register, but for those that CREATE EXTENSION makes",
        f"{RELATION} || ' of ' || quote_ident(x.extname)",
        f"""{JOIN_RELATION} JOIN pg_depend e ON e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e'
            JOIN pg_extension x ON x.oid = e.refobjid
            WHERE c.relkind IN ('r', 'p', 'S') AND NOT c.oid = ANY (coalesce(x.extconfig, '{{}}'))""",
    ),
    _named(
        "rows of an extension''s tables that its condition leaves to CREATE EXTENSION",
        f"{RELATION} || ' ' || r.condition",
        """FROM pg_extension x, unnest(x.extconfig, x.extcondition) r(oid, condition)
            JOIN pg_class c ON c.oid = r.oid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE r.condition <> ''""",
    ),
    _named("rows of foreign tables", RELATION, f"{JOIN_RELATION} WHERE c.relkind = 'f'"),
    _named(
        "rows of materialized views (a restore makes them anew)",
        RELATION,
        f"{JOIN_RELATION} WHERE c.relkind = 'm' AND c.relispopulated AND {USER_SCHEMA}",
    ),
    _named(
        "subscriptions",
        "quote_ident(subname)",
        "FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())",
    ),
    _named(
        "logical replication slots",
        "quote_ident(slot_name)",
        "FROM pg_replication_slots WHERE database = current_database()",
    ),
    _named(
        "places in tablespaces (a restore uses the default one)",
        f"{RELATION} || ' in ' || quote_ident(s.spcname)",
        f"{JOIN_RELATION} JOIN pg_tablespace s ON s.oid = c.reltablespace WHERE {USER_SCHEMA}",
    ),
    _named(
        "invalid indexes",
        RELATION,
        f"{JOIN_RELATION} JOIN pg_index i ON i.indexrelid = c.oid WHERE NOT i.indisvalid AND c.relkind = 'i' AND {USER_SCHEMA}",
    ),
    _named(
        "constraints'' triggers that are switched off or always on (a restore makes them plain)",
        f"quote_ident(k.conname) || ' on ' || {RELATION}",
        f"""{JOIN_RELATION} JOIN pg_trigger t ON t.tgrelid = c.oid JOIN pg_constraint k ON k.oid = t.tgconstraint
            WHERE t.tgisinternal AND t.tgenabled <> 'O'""",
    ),
    _named(
        "comments on the database, on roles and tablespaces",
        "o.identity",
        """FROM pg_shdescription d, pg_identify_object(d.classoid, d.objoid, 0) o
            WHERE d.classoid <> 'pg_database'::regclass AND d.objoid >= 16384 OR d.classoid = 'pg_database'::regclass
            AND d.objoid = (SELECT oid FROM pg_database WHERE datname = current_database())""",
    ),
    _named(
        "security labels of the database and of roles",
        "o.identity || ' by ' || s.provider",
        "FROM pg_shseclabel s, pg_identify_object(s.classoid, s.objoid, 0) o",
    ),
    _named(
        "operators and functions added to an operator family of the server",
        "format('%I.%I', n.nspname, f.opfname)",
        f"""FROM pg_opfamily f JOIN pg_namespace n ON n.oid = f.opfnamespace WHERE {_SERVERS_OWN} AND EXISTS (
            SELECT FROM pg_amop o WHERE o.amopfamily = f.oid AND o.oid >= {FIRST_USER_OID} AND NOT EXISTS (
                SELECT FROM pg_depend d WHERE d.classid = 'pg_amop'::regclass AND d.objid = o.oid
                   AND (d.deptype = 'e' OR d.refclassid = 'pg_opclass'::regclass)))""",
    ),
    _made_in_catalogs("pg_proc", "proname", "pronamespace", "functions"),
    _made_in_catalogs("pg_class", "relname", "relnamespace", "relations"),
    _made_in_catalogs("pg_operator", "oprname", "oprnamespace", "operators"),
    _made_in_catalogs("pg_collation", "collname", "collnamespace", "collations"),
    _made_in_catalogs("pg_ts_config", "cfgname", "cfgnamespace", "text search configurations"),
)

_SAID = "SELECT * FROM ({}) q(text) WHERE text IS NOT NULL"
QUERY = " UNION ALL ".join(_SAID.format(part) for part in _PARTS)
MAPPINGS = _SAID.format(
    _named(
        "options of user mappings, which the role that backs up may not read",
        "quote_ident(v.srvname) || ' for ' || quote_ident(v.usename)",
        "FROM pg_user_mappings v JOIN pg_user_mapping m ON m.oid = v.umid"
        " WHERE m.umoptions IS NOT NULL AND v.umoptions IS NULL",
    )
)
