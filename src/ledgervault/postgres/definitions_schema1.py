"""Queries for definitions in the texts of manifests of schema 1.

A frozen copy: an old backup is compared by the queries that wrote its manifest. `definitions` replaced it.
"""
# ruff: noqa: S608, E501  - the parts put together are constants of this file, never input; SQL keeps its own lines

from __future__ import annotations

from collections.abc import Iterable

_USER_SCHEMA = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"


def _not_of_extension(catalog: str, oid: str) -> str:
    return (
        f"NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = '{catalog}'::regclass"
        f" AND e.objid = {oid} AND e.deptype = 'e')"
    )


def _acl(column: str, kind: str, owner: str) -> str:
    """Grants in a fixed order with defaults spelled out: NULL and the explicit default mean the same."""
    return (
        "(SELECT coalesce(string_agg(format('%s=%s%s', CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE"
        " quote_ident(pg_get_userbyid(a.grantee)) END, a.privilege_type, CASE WHEN a.is_grantable THEN '*' END), ','"
        " ORDER BY pg_get_userbyid(a.grantee), a.privilege_type), 'none')"
        f" FROM aclexplode(coalesce({column}, acldefault('{kind}', {owner}))) a)"
    )


def _owned(column: str, kind: str, owner: str) -> str:
    return f"' owner ' || pg_get_userbyid({owner}) || ' grants ' || {_acl(column, kind, owner)}"


_RELATION = "format('%I.%I', n.nspname, c.relname)"
_JOIN_RELATION = "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
_RELATION_FILTER = f"{_USER_SCHEMA} AND c.relpersistence <> 't' AND {_not_of_extension('pg_class', 'c.oid')}"

_SCHEMAS = f"""
SELECT 'schema', quote_ident(n.nspname), {_owned("n.nspacl", "n", "n.nspowner")}
  FROM pg_namespace n WHERE {_USER_SCHEMA} AND {_not_of_extension("pg_namespace", "n.oid")}
"""

_TABLES = f"""
SELECT CASE c.relkind WHEN 'f' THEN 'foreign table' ELSE 'table' END, {_RELATION},
       concat_ws(' ', c.relkind, c.relpersistence, c.relreplident, am.amname, 'options', c.reloptions::text,
         'toast', (SELECT t.reloptions::text FROM pg_class t WHERE t.oid = c.reltoastrelid),
         'row security', c.relrowsecurity, c.relforcerowsecurity, 'of', nullif(c.reloftype, 0)::regtype::text,
         'partitioned', CASE c.relkind WHEN 'p' THEN pg_get_partkeydef(c.oid) END,
         'bound', pg_get_expr(c.relpartbound, c.oid),
         'inherits', (SELECT string_agg(i.inhparent::regclass::text, ',' ORDER BY i.inhseqno) FROM pg_inherits i
                       WHERE i.inhrelid = c.oid)) || {_owned("c.relacl", "r", "c.relowner")}
  {_JOIN_RELATION} LEFT JOIN pg_am am ON am.oid = c.relam
 WHERE c.relkind IN ('r', 'p', 'f') AND {_RELATION_FILTER}
"""

# Options that begin with pg_ (17.12 has pg_attver) are the server's own notes: pg_dump leaves them out too.
_COLUMNS = f"""
SELECT 'column', {_RELATION} || '.' || quote_ident(a.attname),
       concat_ws(' ', format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'NOT NULL' END,
         'identity', nullif(a.attidentity, ''), 'generated', nullif(a.attgenerated, ''),
         'default', pg_get_expr(d.adbin, d.adrelid), 'collate', nullif(a.attcollation, t.typcollation)::regcollation::text,
         'storage', a.attstorage, nullif(a.attcompression, ''), 'statistics', nullif(a.attstattarget, -1),
         (SELECT string_agg(o, ',' ORDER BY o) FROM unnest(a.attoptions) o WHERE o !~ '^pg_'), a.attfdwoptions::text,
         'grants', CASE WHEN a.attacl IS NOT NULL THEN {_acl("a.attacl", "c", "c.relowner")} END)
  {_JOIN_RELATION} JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
 WHERE c.relkind IN ('r', 'p', 'f', 'c', 'v', 'm') AND {_RELATION_FILTER}
"""

_INDEXES = f"""
SELECT 'index', {_RELATION},
       concat_ws(' ', pg_get_indexdef(c.oid), CASE WHEN i.indisclustered THEN 'clustered' END,
         CASE WHEN i.indisreplident THEN 'replica identity' END,
         'part of', (SELECT h.inhparent::regclass::text FROM pg_inherits h WHERE h.inhrelid = c.oid))
  {_JOIN_RELATION} JOIN pg_index i ON i.indexrelid = c.oid
 WHERE c.relkind IN ('i', 'I') AND (i.indisvalid OR c.relkind = 'I') AND {_RELATION_FILTER}
   AND {_not_of_extension("pg_class", "i.indrelid")}
"""

_CONSTRAINTS = f"""
SELECT 'constraint', {_RELATION} || '.' || quote_ident(k.conname), pg_get_constraintdef(k.oid)
  {_JOIN_RELATION} JOIN pg_constraint k ON k.conrelid = c.oid
 WHERE {_RELATION_FILTER} AND k.contype IN ('c', 'f', 'p', 'u', 'x')
   AND (k.conparentid = 0 OR k.contype IN ('p', 'u'))
UNION ALL
SELECT 'domain constraint', format('%I.%I.%I', n.nspname, t.typname, k.conname), pg_get_constraintdef(k.oid)
  FROM pg_constraint k JOIN pg_type t ON t.oid = k.contypid JOIN pg_namespace n ON n.oid = t.typnamespace
 WHERE {_USER_SCHEMA} AND {_not_of_extension("pg_type", "t.oid")}
"""

_TRIGGERS = f"""
SELECT 'trigger', {_RELATION} || '.' || quote_ident(t.tgname), concat_ws(' ', pg_get_triggerdef(t.oid), t.tgenabled)
  {_JOIN_RELATION} JOIN pg_trigger t ON t.tgrelid = c.oid
 WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND {_RELATION_FILTER}
UNION ALL
SELECT 'event trigger', quote_ident(t.evtname), concat_ws(' ', t.evtevent, t.evttags::text, t.evtfoid::regproc::text,
       t.evtenabled, pg_get_userbyid(t.evtowner))
  FROM pg_event_trigger t WHERE {_not_of_extension("pg_event_trigger", "t.oid")}
UNION ALL
SELECT 'rule', {_RELATION} || '.' || quote_ident(r.rulename), concat_ws(' ', pg_get_ruledef(r.oid), r.ev_enabled)
  {_JOIN_RELATION} JOIN pg_rewrite r ON r.ev_class = c.oid
 WHERE r.rulename <> '_RETURN' AND {_RELATION_FILTER}
UNION ALL
SELECT 'policy', {_RELATION} || '.' || quote_ident(p.polname),
       concat_ws(' ', p.polcmd, p.polpermissive,
         (SELECT string_agg(CASE r WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(r) END, ',' ORDER BY pg_get_userbyid(r))
            FROM unnest(p.polroles) r),
         'using', pg_get_expr(p.polqual, p.polrelid), 'check', pg_get_expr(p.polwithcheck, p.polrelid))
  {_JOIN_RELATION} JOIN pg_policy p ON p.polrelid = c.oid WHERE {_RELATION_FILTER}
"""

_VIEWS = f"""
SELECT CASE c.relkind WHEN 'v' THEN 'view' ELSE 'materialized view' END, {_RELATION},
       concat_ws(' ', c.reloptions::text, CASE WHEN c.relkind = 'm' AND NOT c.relispopulated THEN 'WITH NO DATA' END,
         pg_get_viewdef(c.oid)) || {_owned("c.relacl", "r", "c.relowner")}
  {_JOIN_RELATION} WHERE c.relkind IN ('v', 'm') AND {_RELATION_FILTER}
"""

_SEQUENCES = f"""
SELECT 'sequence', {_RELATION},
       concat_ws(' ', format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle,
         c.relpersistence, 'owned by', (SELECT d.refobjid::regclass::text || '.' || a.attname || ' ' || d.deptype::text
            FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
           WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
             AND d.refclassid = 'pg_class'::regclass LIMIT 1)) || {_owned("c.relacl", "s", "c.relowner")}
  {_JOIN_RELATION} JOIN pg_sequence s ON s.seqrelid = c.oid WHERE c.relkind = 'S' AND {_RELATION_FILTER}
"""

_FUNCTIONS = f"""
SELECT CASE p.prokind WHEN 'a' THEN 'aggregate' WHEN 'p' THEN 'procedure' ELSE 'function' END,
       format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
       CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) ELSE
         (SELECT concat_ws(' ', a.aggkind, a.aggnumdirectargs, a.aggtransfn::regproc::text, a.aggfinalfn::regproc::text,
            a.aggcombinefn::regproc::text, a.aggtranstype::regtype::text, a.agginitval, a.aggmtransfn::regproc::text,
            nullif(a.aggsortop, 0)::regoperator::text, a.aggfinalmodify, a.aggfinalextra)
            FROM pg_aggregate a WHERE a.aggfnoid = p.oid) END || {_owned("p.proacl", "f", "p.proowner")}
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
 WHERE {_USER_SCHEMA} AND {_not_of_extension("pg_proc", "p.oid")}
   AND NOT EXISTS (SELECT FROM pg_depend i WHERE i.classid = 'pg_proc'::regclass AND i.objid = p.oid AND i.deptype = 'i')
"""

_TYPES = f"""
SELECT CASE t.typtype WHEN 'd' THEN 'domain' ELSE 'type' END, format('%I.%I', n.nspname, t.typname),
       concat_ws(' ', t.typtype, CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END,
         CASE WHEN t.typnotnull THEN 'NOT NULL' END, 'default', t.typdefault,
         'collate', nullif(t.typcollation, 0)::regcollation::text,
         'labels', (SELECT string_agg(quote_literal(e.enumlabel), ',' ORDER BY e.enumsortorder) FROM pg_enum e
                     WHERE e.enumtypid = t.oid),
         'of', (SELECT r.rngsubtype::regtype::text FROM pg_range r WHERE r.rngtypid = t.oid))
       || {_owned("t.typacl", "T", "t.typowner")}
  FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
 WHERE {_USER_SCHEMA} AND {_not_of_extension("pg_type", "t.oid")} AND t.typtype IN ('d', 'e', 'r', 'b', 'c')
   AND (t.typtype <> 'c' OR c.relkind = 'c') AND NOT EXISTS (SELECT FROM pg_type o WHERE o.typarray = t.oid)
"""

_EXTENSIONS = """
SELECT 'extension', quote_ident(x.extname), 'schema ' || n.nspname
  FROM pg_extension x JOIN pg_namespace n ON n.oid = x.extnamespace
"""

_COMMENTS = """
SELECT 'comment on ' || o.type, o.identity, d.description
  FROM pg_description d, pg_identify_object(d.classoid, d.objoid, d.objsubid) o
 WHERE (d.objoid >= 16384 OR (d.classoid = 'pg_namespace'::regclass AND o.identity = 'public'))
   AND coalesce(o.schema, '') !~ '^pg_|^information_schema$' AND d.classoid <> 'pg_largeobject'::regclass
   AND d.classoid <> 'pg_extension'::regclass
   AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = d.classoid AND e.objid = d.objoid AND e.deptype = 'e')
"""

_DEFAULT_GRANTS = """
SELECT 'default grants', concat_ws(' ', pg_get_userbyid(d.defaclrole), 'in', n.nspname, 'on', d.defaclobjtype,
         CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee) END, a.privilege_type), a.is_grantable::text
  FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace, aclexplode(d.defaclacl) a
"""

_STATISTICS = f"""
SELECT 'statistics', format('%I.%I', n.nspname, s.stxname),
       concat_ws(' ', pg_get_statisticsobjdef(s.oid), pg_get_userbyid(s.stxowner), nullif(s.stxstattarget, -1))
  FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace
 WHERE {_USER_SCHEMA} AND {_not_of_extension("pg_statistic_ext", "s.oid")}
"""

_PUBLICATIONS = """
SELECT 'publication', quote_ident(p.pubname), concat_ws(' ', p.puballtables, p.pubinsert, p.pubupdate, p.pubdelete,
       p.pubtruncate, p.pubviaroot, pg_get_userbyid(p.pubowner),
       (SELECT string_agg(concat_ws(' ', r.prrelid::regclass::text, pg_get_expr(r.prqual, r.prrelid)), ','
          ORDER BY r.prrelid::regclass::text) FROM pg_publication_rel r WHERE r.prpubid = p.oid))
  FROM pg_publication p
"""

# The rarer kinds: that they exist, with whose name. Their definitions are in the dump whose bytes were checked.
_RARER = {
    "pg_collation": "concat_ws(' ', x.collprovider, x.collisdeterministic, x.collcollate, x.collctype, x.colllocale)",
    "pg_conversion": "''",
    "pg_cast": "concat_ws(' ', x.castcontext, x.castmethod, x.castfunc::regproc::text)",
    "pg_operator": "x.oprcode::regproc::text",
    "pg_opclass": "concat_ws(' ', x.opcdefault, x.opcintype::regtype::text)",
    "pg_opfamily": "''",
    "pg_language": "x.lanpltrusted::text",
    "pg_foreign_data_wrapper": "x.fdwoptions::text",
    "pg_foreign_server": "''",
    "pg_ts_config": "x.cfgparser::text",
    "pg_ts_dict": "x.dictinitoption",
    "pg_ts_parser": "''",
    "pg_ts_template": "''",
    "pg_transform": "''",
    "pg_am": "x.amhandler::regproc::text",
}


def _rarer() -> Iterable[str]:
    for catalog, definition in _RARER.items():
        text = definition if catalog != "pg_ts_config" else "''"
        yield (
            f"SELECT o.type, o.identity, {text} FROM {catalog} x,"
            f" pg_identify_object('{catalog}'::regclass, x.oid, 0) o"
            f" WHERE x.oid >= 16384 AND {_not_of_extension(catalog, 'x.oid')}"
        )


SCHEMA = "\nUNION ALL\n".join(
    f"SELECT * FROM ({part.strip()}) q(kind, name, definition)"
    for part in (
        _SCHEMAS,
        _TABLES,
        _COLUMNS,
        _INDEXES,
        _CONSTRAINTS,
        _TRIGGERS,
        _VIEWS,
        _SEQUENCES,
        _FUNCTIONS,
        _TYPES,
        _EXTENSIONS,
        _COMMENTS,
        _DEFAULT_GRANTS,
        _STATISTICS,
        _PUBLICATIONS,
        *_rarer(),
    )
)

RELATIONS = f"SELECT {_RELATION} {_JOIN_RELATION} WHERE c.relkind IN ('r', 'S') AND {_RELATION_FILTER}"
