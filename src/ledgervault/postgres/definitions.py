"""Queries for the definitions of a database, in the texts of manifests of schema 2 (schema 1: `definitions_schema1`).

A text that PostgreSQL writes anew when asked (expressions, queries, whole statements) has a key of its own, so that
`canonical` can compare it through a server. All other texts are compared letter by letter.
"""
# ruff: noqa: S608, E501  - the parts put together are constants of this file, never input; SQL keeps its own lines

from __future__ import annotations

from collections.abc import Iterator

from ledgervault.model.content import EXTENSIONS_OWN, UNREADABLE

FIRST_USER_OID = 16384
USER_SCHEMA = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
RELATION = "format('%I.%I', n.nspname, c.relname)"
JOIN_RELATION = "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"


def of_extension(catalog: str, oid: str) -> str:
    return (
        f"EXISTS (SELECT FROM pg_depend e WHERE e.classid = '{catalog}'::regclass"
        f" AND e.objid = {oid} AND e.deptype = 'e')"
    )


def not_of_extension(catalog: str, oid: str) -> str:
    return f"NOT {of_extension(catalog, oid)}"


def acl(column: str, kind: str, owner: str) -> str:
    """Grants in a fixed order with defaults spelled out: NULL and the explicit default mean the same."""
    return _explode(f"coalesce({column}, acldefault('{kind}', {owner}))")


def _explode(grants: str) -> str:
    return (
        "(SELECT coalesce(string_agg(format('%s=%s%s', CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE"
        " quote_ident(pg_get_userbyid(a.grantee)) END, a.privilege_type, CASE WHEN a.is_grantable THEN '*' END), ','"
        f" ORDER BY pg_get_userbyid(a.grantee), a.privilege_type), 'none') FROM aclexplode({grants}) a)"
    )


def _owned(column: str, kind: str, owner: str) -> str:
    return f"' owner ' || pg_get_userbyid({owner}) || ' grants ' || {acl(column, kind, owner)}"


def _sorted(options: str) -> str:
    """Options in a fixed order. Options that begin with pg_ (17.12 has pg_attver) are the server's own notes; pg_dump
    skips them too."""
    return f"(SELECT string_agg(o, ',' ORDER BY o) FROM unnest({options}) o WHERE o !~ '^pg_')"


def _member_of(catalog: str, oid: str) -> str:
    """The operator class that an operator or function belongs to; NULL if it belongs to the family alone."""
    return (
        "(SELECT format('in %I.%I', s.nspname, k.opcname) FROM pg_depend d JOIN pg_opclass k ON k.oid = d.refobjid"
        f" JOIN pg_namespace s ON s.oid = k.opcnamespace WHERE d.classid = '{catalog}'::regclass AND d.objid = {oid}"
        " AND d.refclassid = 'pg_opclass'::regclass LIMIT 1)"
    )


def _needs(catalog: str, oid: str) -> str:
    """The extensions it depends on (ALTER … DEPENDS ON EXTENSION)."""
    return (
        "(SELECT ' needs ' || string_agg(quote_ident(x.extname), ',' ORDER BY x.extname) FROM pg_depend d"
        f" JOIN pg_extension x ON x.oid = d.refobjid WHERE d.classid = '{catalog}'::regclass AND d.objid = {oid}"
        " AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'x')"
    )


_RELATION_FILTER = f"{USER_SCHEMA} AND c.relpersistence <> 't' AND {not_of_extension('pg_class', 'c.oid')}"
_EXTENSIONS_TOO = f"{USER_SCHEMA} AND c.relpersistence <> 't'"  # what pg_dump dumps of an extension's tables

_SCHEMAS = f"""
SELECT 'schema', quote_ident(n.nspname), {_owned("n.nspacl", "n", "n.nspowner")}
  FROM pg_namespace n WHERE {USER_SCHEMA} AND {not_of_extension("pg_namespace", "n.oid")}
"""

_TABLES = f"""
SELECT CASE c.relkind WHEN 'f' THEN 'foreign table' ELSE 'table' END, {RELATION},
       concat_ws(' ', c.relkind, c.relpersistence, c.relreplident, am.amname, 'options ' || {_sorted("c.reloptions")},
         'toast ' || (SELECT {_sorted("t.reloptions")} FROM pg_class t WHERE t.oid = c.reltoastrelid),
         'row security', c.relrowsecurity, c.relforcerowsecurity, 'of ' || nullif(c.reloftype, 0)::regtype::text,
         'inherits ' || (SELECT string_agg(i.inhparent::regclass::text, ',' ORDER BY i.inhseqno) FROM pg_inherits i
                          WHERE i.inhrelid = c.oid),
         (SELECT concat_ws(' ', 'server', quote_ident(s.srvname), {_sorted("f.ftoptions")})
            FROM pg_foreign_table f JOIN pg_foreign_server s ON s.oid = f.ftserver WHERE f.ftrelid = c.oid)
       ) || {_owned("c.relacl", "r", "c.relowner")}
  {JOIN_RELATION} LEFT JOIN pg_am am ON am.oid = c.relam
 WHERE c.relkind IN ('r', 'p', 'f') AND {_RELATION_FILTER}
UNION ALL
SELECT 'partition key of', {RELATION}, pg_get_partkeydef(c.oid)
  {JOIN_RELATION} WHERE c.relkind = 'p' AND {_RELATION_FILTER}
UNION ALL
SELECT 'partition bound of', {RELATION}, pg_get_expr(c.relpartbound, c.oid)
  {JOIN_RELATION} WHERE c.relispartition AND c.relkind IN ('r', 'p', 'f') AND {_RELATION_FILTER}
"""

# A restored heir has its parent's columns first, whenever they came; so its places count among its own columns.
_COLUMNS = f"""
SELECT 'column', {RELATION} || '.' || quote_ident(a.attname),
       concat_ws(' ', format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'NOT NULL' END,
         'place ' || rank() OVER (PARTITION BY c.oid, NOT c.relispartition AND a.attinhcount > 0 ORDER BY a.attnum),
         CASE WHEN NOT c.relispartition AND a.attinhcount > 0 THEN 'inherited' END,
         CASE WHEN NOT c.relispartition AND a.attinhcount > 0 AND a.attislocal THEN 'own' END,
         'identity ' || nullif(a.attidentity, '')::text, 'generated ' || nullif(a.attgenerated, '')::text,
         'collate ' || nullif(a.attcollation, t.typcollation)::regcollation::text,
         'storage', a.attstorage, 'compression ' || nullif(a.attcompression, '')::text,
         'statistics ' || nullif(a.attstattarget, -1), 'options ' || {_sorted("a.attoptions")},
         'foreign ' || {_sorted("a.attfdwoptions")},
         'grants ' || CASE WHEN a.attacl IS NOT NULL THEN {acl("a.attacl", "c", "c.relowner")} END)
  {JOIN_RELATION} JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_type t ON t.oid = a.atttypid
 WHERE c.relkind IN ('r', 'p', 'f', 'c', 'v', 'm') AND {_RELATION_FILTER}
UNION ALL
SELECT CASE a.attgenerated WHEN '' THEN 'default of' ELSE 'generation of' END,
       {RELATION} || '.' || quote_ident(a.attname), pg_get_expr(d.adbin, d.adrelid)
  {JOIN_RELATION} JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
 WHERE c.relkind IN ('r', 'p', 'f', 'v') AND {_RELATION_FILTER}
"""

_INDEX_FILTER = f"""
c.relkind IN ('i', 'I') AND (i.indisvalid OR c.relkind = 'I') AND {_RELATION_FILTER}
AND {not_of_extension("pg_class", "i.indrelid")}
"""

_INDEXES = f"""
SELECT 'index', {RELATION}, pg_get_indexdef(c.oid)
  {JOIN_RELATION} JOIN pg_index i ON i.indexrelid = c.oid WHERE {_INDEX_FILTER}
UNION ALL
SELECT 'state of index', {RELATION},
       concat_ws(' ', CASE WHEN i.indisclustered THEN 'clustered' END,
         CASE WHEN i.indisreplident THEN 'replica identity' END,
         'part of ' || (SELECT h.inhparent::regclass::text FROM pg_inherits h WHERE h.inhrelid = c.oid),
         'statistics ' || (SELECT string_agg(a.attnum || '=' || a.attstattarget, ',' ORDER BY a.attnum)
                             FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attstattarget >= 0))
       || coalesce({_needs("pg_class", "c.oid")}, '')
  {JOIN_RELATION} JOIN pg_index i ON i.indexrelid = c.oid WHERE {_INDEX_FILTER}
"""

_CONSTRAINTS = f"""
SELECT 'constraint', {RELATION} || '.' || quote_ident(k.conname), pg_get_constraintdef(k.oid)
  {JOIN_RELATION} JOIN pg_constraint k ON k.conrelid = c.oid
 WHERE {_RELATION_FILTER} AND k.contype IN ('c', 'f', 'p', 'u', 'x')
   AND (k.conparentid = 0 OR k.contype IN ('p', 'u'))
UNION ALL
SELECT 'domain constraint', format('%I.%I.%I', n.nspname, t.typname, k.conname), pg_get_constraintdef(k.oid)
  FROM pg_constraint k JOIN pg_type t ON t.oid = k.contypid JOIN pg_namespace n ON n.oid = t.typnamespace
 WHERE {USER_SCHEMA} AND {not_of_extension("pg_type", "t.oid")}
"""

# A partition's trigger is its parent's, but may be switched on or off apart.
_TRIGGERS = f"""
SELECT 'trigger', {RELATION} || '.' || quote_ident(t.tgname), pg_get_triggerdef(t.oid)
  {JOIN_RELATION} JOIN pg_trigger t ON t.tgrelid = c.oid
 WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND {_RELATION_FILTER}
UNION ALL
SELECT 'state of trigger', {RELATION} || '.' || quote_ident(t.tgname),
       t.tgenabled::text || coalesce({_needs("pg_trigger", "t.oid")}, '')
  {JOIN_RELATION} JOIN pg_trigger t ON t.tgrelid = c.oid LEFT JOIN pg_trigger p ON p.oid = t.tgparentid
 WHERE NOT t.tgisinternal AND (t.tgparentid = 0 OR t.tgenabled <> p.tgenabled) AND {_RELATION_FILTER}
UNION ALL
SELECT 'event trigger', quote_ident(t.evtname), concat_ws(' ', t.evtevent, {_sorted("t.evttags")},
       t.evtfoid::regprocedure::text, t.evtenabled, pg_get_userbyid(t.evtowner))
  FROM pg_event_trigger t WHERE {not_of_extension("pg_event_trigger", "t.oid")}
UNION ALL
SELECT 'rule', {RELATION} || '.' || quote_ident(r.rulename), pg_get_ruledef(r.oid)
  {JOIN_RELATION} JOIN pg_rewrite r ON r.ev_class = c.oid WHERE r.rulename <> '_RETURN' AND {_RELATION_FILTER}
UNION ALL
SELECT 'state of rule', {RELATION} || '.' || quote_ident(r.rulename), r.ev_enabled::text
  {JOIN_RELATION} JOIN pg_rewrite r ON r.ev_class = c.oid WHERE r.rulename <> '_RETURN' AND {_RELATION_FILTER}
"""

_POLICIES = f"""
SELECT 'policy', {RELATION} || '.' || quote_ident(p.polname),
       concat_ws(' ', p.polcmd, p.polpermissive,
         (SELECT string_agg(CASE r WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(r)) END, ','
            ORDER BY pg_get_userbyid(r)) FROM unnest(p.polroles) r))
  {JOIN_RELATION} JOIN pg_policy p ON p.polrelid = c.oid WHERE {_EXTENSIONS_TOO}
UNION ALL
SELECT 'policy using of', {RELATION} || '.' || quote_ident(p.polname), pg_get_expr(p.polqual, p.polrelid)
  {JOIN_RELATION} JOIN pg_policy p ON p.polrelid = c.oid WHERE p.polqual IS NOT NULL AND {_EXTENSIONS_TOO}
UNION ALL
SELECT 'policy check of', {RELATION} || '.' || quote_ident(p.polname), pg_get_expr(p.polwithcheck, p.polrelid)
  {JOIN_RELATION} JOIN pg_policy p ON p.polrelid = c.oid WHERE p.polwithcheck IS NOT NULL AND {_EXTENSIONS_TOO}
"""

_VIEWS = f"""
SELECT CASE c.relkind WHEN 'v' THEN 'view' ELSE 'materialized view' END, {RELATION},
       concat_ws(' ', am.amname, {_sorted("c.reloptions")}, CASE WHEN c.relkind = 'm' AND NOT c.relispopulated THEN 'WITH NO DATA' END,
         'toast ' || (SELECT {_sorted("t.reloptions")} FROM pg_class t WHERE t.oid = c.reltoastrelid))
       || {_owned("c.relacl", "r", "c.relowner")} || coalesce({_needs("pg_class", "c.oid")}, '')
  {JOIN_RELATION} LEFT JOIN pg_am am ON am.oid = c.relam WHERE c.relkind IN ('v', 'm') AND {_RELATION_FILTER}
UNION ALL
SELECT CASE c.relkind WHEN 'v' THEN 'query of view' ELSE 'query of materialized view' END, {RELATION}, pg_get_viewdef(c.oid) {JOIN_RELATION} WHERE c.relkind IN ('v', 'm') AND {_RELATION_FILTER}
"""

_SEQUENCES = f"""
SELECT 'sequence', {RELATION},
       concat_ws(' ', format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle,
         c.relpersistence, 'owned by', (SELECT d.refobjid::regclass::text || '.' || quote_ident(a.attname) || ' ' || d.deptype::text
            FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
           WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
             AND d.refclassid = 'pg_class'::regclass LIMIT 1)) || {_owned("c.relacl", "s", "c.relowner")}
  {JOIN_RELATION} JOIN pg_sequence s ON s.seqrelid = c.oid WHERE c.relkind = 'S' AND {_RELATION_FILTER}
"""

_FUNCTION = "CASE p.prokind WHEN 'a' THEN 'aggregate' WHEN 'p' THEN 'procedure' ELSE 'function' END"
_FUNCTION_NAME = "format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid))"
_FUNCTION_FILTER = f"""
{USER_SCHEMA} AND {not_of_extension("pg_proc", "p.oid")}
AND NOT EXISTS (SELECT FROM pg_depend i WHERE i.classid = 'pg_proc'::regclass AND i.objid = p.oid AND i.deptype = 'i')
"""

_FUNCTIONS = f"""
SELECT {_FUNCTION}, {_FUNCTION_NAME}, pg_get_functiondef(p.oid)
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.prokind <> 'a' AND {_FUNCTION_FILTER}
UNION ALL
SELECT 'aggregate', {_FUNCTION_NAME},
       (SELECT concat_ws(' ', a.aggkind, a.aggnumdirectargs, pg_get_function_result(p.oid), p.proparallel,
          'state', a.aggtransfn::regprocedure, a.aggtranstype::regtype, a.aggtransspace, 'initial ' || quote_literal(a.agginitval),
          'final', a.aggfinalfn::regprocedure, a.aggfinalextra, a.aggfinalmodify, 'combine', a.aggcombinefn::regprocedure,
          'serial', a.aggserialfn::regprocedure, a.aggdeserialfn::regprocedure, 'moving', a.aggmtransfn::regprocedure,
          a.aggminvtransfn::regprocedure, nullif(a.aggmtranstype, 0)::regtype, a.aggmtransspace,
          'initial ' || quote_literal(a.aggminitval), a.aggmfinalfn::regprocedure, a.aggmfinalextra, a.aggmfinalmodify,
          'sorted by ' || nullif(a.aggsortop, 0)::regoperator::text, pg_get_function_arguments(p.oid))
          FROM pg_aggregate a WHERE a.aggfnoid = p.oid)
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.prokind = 'a' AND {_FUNCTION_FILTER}
UNION ALL
SELECT 'state of ' || {_FUNCTION}, {_FUNCTION_NAME},
       {_owned("p.proacl", "f", "p.proowner")} || coalesce({_needs("pg_proc", "p.oid")}, '')
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE {_FUNCTION_FILTER}
"""

_TYPE_FILTER = f"""
{USER_SCHEMA} AND {not_of_extension("pg_type", "t.oid")} AND (t.typtype IN ('d', 'e', 'r', 'b', 'c') OR NOT t.typisdefined)
AND (t.typtype <> 'c' OR c.relkind = 'c') AND NOT EXISTS (SELECT FROM pg_type o WHERE o.typarray = t.oid)
"""

_TYPES = f"""
SELECT CASE t.typtype WHEN 'd' THEN 'domain' ELSE 'type' END, format('%I.%I', n.nspname, t.typname),
       concat_ws(' ', t.typtype, t.typisdefined, CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END,
         CASE WHEN t.typnotnull THEN 'NOT NULL' END, 'collate ' || nullif(t.typcollation, 0)::regcollation::text,
         'labels ' || (SELECT string_agg(quote_literal(e.enumlabel), ',' ORDER BY e.enumsortorder) FROM pg_enum e
                        WHERE e.enumtypid = t.oid),
         (SELECT concat_ws(' ', 'of', r.rngsubtype::regtype, r.rngmultitypid::regtype, 'collate ' || nullif(r.rngcollation, 0)::regcollation::text,
            (SELECT format('%I.%I', s.nspname, o.opcname) FROM pg_opclass o JOIN pg_namespace s ON s.oid = o.opcnamespace
              WHERE o.oid = r.rngsubopc), r.rngcanonical::regprocedure, r.rngsubdiff::regprocedure)
            FROM pg_range r WHERE r.rngtypid = t.oid),
         CASE WHEN t.typtype = 'b' THEN concat_ws(' ', t.typlen, t.typbyval, t.typalign, t.typstorage, t.typcategory,
            t.typispreferred, t.typdelim, t.typinput::regprocedure, t.typoutput::regprocedure, t.typreceive::regprocedure,
            t.typsend::regprocedure, t.typmodin::regprocedure, t.typmodout::regprocedure, t.typanalyze::regprocedure,
            t.typsubscript::regprocedure, 'element ' || nullif(t.typelem, 0)::regtype::text) END)
       || {_owned("t.typacl", "T", "t.typowner")}
  FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
 WHERE {_TYPE_FILTER}
UNION ALL
SELECT CASE t.typtype WHEN 'd' THEN 'domain default of' ELSE 'type default of' END, format('%I.%I', n.nspname, t.typname),
       coalesce(pg_get_expr(t.typdefaultbin, 'pg_type'::regclass), t.typdefault)
  FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
 WHERE t.typdefault IS NOT NULL AND {_TYPE_FILTER}
"""

_EXTENSIONS = """
SELECT 'extension', quote_ident(x.extname), 'schema ' || n.nspname
  FROM pg_extension x JOIN pg_namespace n ON n.oid = x.extnamespace
"""

_COMMENTS = f"""
SELECT 'comment on ' || o.type, o.identity, d.description
  FROM pg_description d, pg_identify_object(d.classoid, d.objoid, d.objsubid) o
 WHERE (d.objoid >= {FIRST_USER_OID} OR d.classoid = 'pg_largeobject'::regclass
        OR (d.classoid = 'pg_namespace'::regclass AND d.objoid = to_regnamespace('public')))
   AND coalesce(o.schema, '') !~ '^pg_|^information_schema$'
   AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = d.classoid AND e.objid = d.objoid AND e.deptype = 'e')
UNION ALL
SELECT 'security label on ' || o.type, o.identity || ' by ' || s.provider, s.label
  FROM pg_seclabel s, pg_identify_object(s.classoid, s.objoid, s.objsubid) o
"""

_DEFAULT_GRANTS = f"""
SELECT 'default grants', concat_ws(' ', quote_ident(pg_get_userbyid(d.defaclrole)), 'in ' || quote_ident(n.nspname), 'on', d.defaclobjtype),
       {_explode("d.defaclacl")}
  FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace
"""

_STATISTICS = f"""
SELECT 'statistics', format('%I.%I', n.nspname, s.stxname), pg_get_statisticsobjdef(s.oid)
  FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace
 WHERE {USER_SCHEMA} AND {not_of_extension("pg_statistic_ext", "s.oid")}
UNION ALL
SELECT 'state of statistics', format('%I.%I', n.nspname, s.stxname),
       concat_ws(' ', pg_get_userbyid(s.stxowner), nullif(s.stxstattarget, -1))
  FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace
 WHERE {USER_SCHEMA} AND {not_of_extension("pg_statistic_ext", "s.oid")}
"""

_PUBLICATIONS = f"""
SELECT 'publication', quote_ident(p.pubname), concat_ws(' ', p.puballtables, p.pubinsert, p.pubupdate, p.pubdelete,
       p.pubtruncate, p.pubviaroot, pg_get_userbyid(p.pubowner),
       'schemas ' || (SELECT string_agg(quote_ident(s.nspname), ',' ORDER BY s.nspname) FROM pg_publication_namespace m
                        JOIN pg_namespace s ON s.oid = m.pnnspid WHERE m.pnpubid = p.oid))
  FROM pg_publication p
UNION ALL
SELECT 'published by ' || quote_ident(p.pubname), {RELATION},
       coalesce((SELECT string_agg(quote_ident(a.attname), ',' ORDER BY a.attname) FROM pg_attribute a
                  WHERE a.attrelid = c.oid AND a.attnum = ANY (r.prattrs)), 'all columns')
  {JOIN_RELATION} JOIN pg_publication_rel r ON r.prrelid = c.oid JOIN pg_publication p ON p.oid = r.prpubid
UNION ALL
SELECT 'rows published', {RELATION} || '.' || quote_ident(p.pubname), pg_get_expr(r.prqual, r.prrelid)
  {JOIN_RELATION} JOIN pg_publication_rel r ON r.prrelid = c.oid JOIN pg_publication p ON p.oid = r.prpubid
 WHERE r.prqual IS NOT NULL
"""

_FOREIGN = f"""
SELECT 'foreign data wrapper', quote_ident(w.fdwname),
       concat_ws(' ', w.fdwhandler::regprocedure, w.fdwvalidator::regprocedure, {_sorted("w.fdwoptions")})
       || {_owned("w.fdwacl", "F", "w.fdwowner")}
  FROM pg_foreign_data_wrapper w WHERE {not_of_extension("pg_foreign_data_wrapper", "w.oid")}
UNION ALL
SELECT 'server', quote_ident(s.srvname),
       concat_ws(' ', 'of', quote_ident(w.fdwname), 'type ' || s.srvtype, 'version ' || s.srvversion, {_sorted("s.srvoptions")})
       || {_owned("s.srvacl", "S", "s.srvowner")}
  FROM pg_foreign_server s JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw
 WHERE {not_of_extension("pg_foreign_server", "s.oid")}
"""

# Values of a mapping's options are passwords: of what the reader may see (so that pg_dump sees it too) there is a hash.
_MAPPING = "SELECT 'user mapping', quote_ident(m.srvname) || ' for ' || quote_ident(m.usename)"

_MAPPINGS = f"""
{_MAPPING},
       concat_ws(' ', 'options', (SELECT coalesce(string_agg(o.option_name, ',' ORDER BY o.option_name), 'none')
                                    FROM pg_user_mapping k, pg_options_to_table(k.umoptions) o WHERE k.oid = m.umid),
         encode(sha256(convert_to((SELECT string_agg(o, ',' ORDER BY o) FROM unnest(m.umoptions) o), 'UTF8')), 'hex'))
  FROM pg_user_mappings m
"""

# What a role may not read; PostgreSQL refuses the whole query if it is asked for.
MAY_READ_MAPPINGS = "SELECT has_table_privilege('pg_user_mapping', 'SELECT')"

_TEXT_SEARCH = f"""
SELECT 'text search configuration', format('%I.%I', n.nspname, x.cfgname),
       concat_ws(' ', (SELECT format('%I.%I', s.nspname, p.prsname) FROM pg_ts_parser p
                         JOIN pg_namespace s ON s.oid = p.prsnamespace WHERE p.oid = x.cfgparser),
         (SELECT string_agg(t.alias || '=' || m.dictionaries, ' ' ORDER BY t.alias)
            FROM (SELECT maptokentype, string_agg(mapdict::regdictionary::text, ',' ORDER BY mapseqno) AS dictionaries
                    FROM pg_ts_config_map WHERE mapcfg = x.oid GROUP BY 1) m
            JOIN ts_token_type(x.cfgparser) t ON t.tokid = m.maptokentype), 'owner', pg_get_userbyid(x.cfgowner))
  FROM pg_ts_config x JOIN pg_namespace n ON n.oid = x.cfgnamespace
 WHERE {USER_SCHEMA} AND {not_of_extension("pg_ts_config", "x.oid")}
UNION ALL
SELECT 'text search dictionary', format('%I.%I', n.nspname, x.dictname),
       concat_ws(' ', (SELECT format('%I.%I', s.nspname, t.tmplname) FROM pg_ts_template t
                         JOIN pg_namespace s ON s.oid = t.tmplnamespace WHERE t.oid = x.dicttemplate),
         x.dictinitoption, 'owner', pg_get_userbyid(x.dictowner))
  FROM pg_ts_dict x JOIN pg_namespace n ON n.oid = x.dictnamespace
 WHERE {USER_SCHEMA} AND {not_of_extension("pg_ts_dict", "x.oid")}
UNION ALL
SELECT 'text search parser', format('%I.%I', n.nspname, x.prsname),
       concat_ws(' ', x.prsstart, x.prstoken, x.prsend, x.prsheadline, x.prslextype)
  FROM pg_ts_parser x JOIN pg_namespace n ON n.oid = x.prsnamespace
 WHERE {USER_SCHEMA} AND {not_of_extension("pg_ts_parser", "x.oid")}
UNION ALL
SELECT 'text search template', format('%I.%I', n.nspname, x.tmplname), concat_ws(' ', x.tmplinit, x.tmpllexize)
  FROM pg_ts_template x JOIN pg_namespace n ON n.oid = x.tmplnamespace
 WHERE {USER_SCHEMA} AND {not_of_extension("pg_ts_template", "x.oid")}
"""

_OPERATORS = f"""
SELECT 'operator', x.oid::regoperator::text,
       concat_ws(' ', quote_ident(n.nspname), x.oprcode::regprocedure, x.oprresult::regtype, x.oprcanmerge, x.oprcanhash,
         'commutator ' || nullif(x.oprcom, 0)::regoperator::text, 'negator ' || nullif(x.oprnegate, 0)::regoperator::text,
         x.oprrest::regprocedure, x.oprjoin::regprocedure, 'owner', pg_get_userbyid(x.oprowner))
  FROM pg_operator x JOIN pg_namespace n ON n.oid = x.oprnamespace
 WHERE {USER_SCHEMA} AND {not_of_extension("pg_operator", "x.oid")}
UNION ALL
SELECT 'operator class', format('%I.%I using %I', n.nspname, x.opcname, m.amname),
       concat_ws(' ', x.opcdefault, x.opcintype::regtype, 'storage ' || nullif(x.opckeytype, 0)::regtype::text,
         'family', (SELECT format('%I.%I', s.nspname, f.opfname) FROM pg_opfamily f
                      JOIN pg_namespace s ON s.oid = f.opfnamespace WHERE f.oid = x.opcfamily), 'owner', pg_get_userbyid(x.opcowner))
  FROM pg_opclass x JOIN pg_namespace n ON n.oid = x.opcnamespace JOIN pg_am m ON m.oid = x.opcmethod
 WHERE {USER_SCHEMA} AND {not_of_extension("pg_opclass", "x.oid")}
UNION ALL
SELECT 'operator family', format('%I.%I using %I', n.nspname, x.opfname, m.amname), 'owner ' || pg_get_userbyid(x.opfowner)
  FROM pg_opfamily x JOIN pg_namespace n ON n.oid = x.opfnamespace JOIN pg_am m ON m.oid = x.opfmethod
 WHERE {USER_SCHEMA} AND {not_of_extension("pg_opfamily", "x.oid")}
UNION ALL
SELECT 'member of operator family', format('%I.%I using %s: operator %s of %s', n.nspname, f.opfname,
         (SELECT quote_ident(amname) FROM pg_am WHERE oid = f.opfmethod), o.amopstrategy,
         format_type(o.amoplefttype, NULL) || ',' || format_type(o.amoprighttype, NULL)),
       concat_ws(' ', o.amopopr::regoperator, o.amoppurpose, 'by ' || (SELECT format('%I.%I', s.nspname, b.opfname)
           FROM pg_opfamily b JOIN pg_namespace s ON s.oid = b.opfnamespace WHERE b.oid = o.amopsortfamily),
         {_member_of("pg_amop", "o.oid")})
  FROM pg_amop o JOIN pg_opfamily f ON f.oid = o.amopfamily JOIN pg_namespace n ON n.oid = f.opfnamespace
 WHERE ({USER_SCHEMA} OR {_member_of("pg_amop", "o.oid")} IS NOT NULL) AND o.oid >= {FIRST_USER_OID} AND {not_of_extension("pg_amop", "o.oid")} AND {not_of_extension("pg_opfamily", "f.oid")}
UNION ALL
SELECT 'member of operator family', format('%I.%I using %s: function %s of %s', n.nspname, f.opfname,
         (SELECT quote_ident(amname) FROM pg_am WHERE oid = f.opfmethod), o.amprocnum,
         format_type(o.amproclefttype, NULL) || ',' || format_type(o.amprocrighttype, NULL)),
       concat_ws(' ', o.amproc::regprocedure, {_member_of("pg_amproc", "o.oid")})
  FROM pg_amproc o JOIN pg_opfamily f ON f.oid = o.amprocfamily JOIN pg_namespace n ON n.oid = f.opfnamespace
 WHERE ({USER_SCHEMA} OR {_member_of("pg_amproc", "o.oid")} IS NOT NULL) AND o.oid >= {FIRST_USER_OID} AND {not_of_extension("pg_amproc", "o.oid")} AND {not_of_extension("pg_opfamily", "f.oid")}
"""

# These lie in no schema, or matter to every one: what the server did not bring itself.
_LANGUAGES = f"""
SELECT 'cast', x.castsource::regtype::text || ' as ' || x.casttarget::regtype::text,
       concat_ws(' ', x.castcontext, x.castmethod, x.castfunc::regprocedure)
  FROM pg_cast x WHERE x.oid >= {FIRST_USER_OID} AND {not_of_extension("pg_cast", "x.oid")}
UNION ALL
SELECT 'transform', x.trftype::regtype::text || ' for ' || quote_ident(l.lanname),
       concat_ws(' ', x.trffromsql::regprocedure, x.trftosql::regprocedure)
  FROM pg_transform x JOIN pg_language l ON l.oid = x.trflang WHERE {not_of_extension("pg_transform", "x.oid")}
UNION ALL
SELECT 'language', quote_ident(x.lanname), concat_ws(' ', x.lanpltrusted, x.lanplcallfoid::regprocedure,
         x.laninline::regprocedure, x.lanvalidator::regprocedure) || {_owned("x.lanacl", "l", "x.lanowner")}
  FROM pg_language x WHERE x.oid >= {FIRST_USER_OID} AND {not_of_extension("pg_language", "x.oid")}
UNION ALL
SELECT 'access method', quote_ident(x.amname), concat_ws(' ', x.amtype, x.amhandler::regproc)
  FROM pg_am x WHERE x.oid >= {FIRST_USER_OID} AND {not_of_extension("pg_am", "x.oid")}
UNION ALL
SELECT 'conversion', format('%I.%I', n.nspname, x.conname), concat_ws(' ', x.condefault, pg_encoding_to_char(x.conforencoding),
         pg_encoding_to_char(x.contoencoding), x.conproc, 'owner', pg_get_userbyid(x.conowner))
  FROM pg_conversion x JOIN pg_namespace n ON n.oid = x.connamespace
 WHERE {USER_SCHEMA} AND {not_of_extension("pg_conversion", "x.oid")}
UNION ALL
SELECT 'collation', format('%I.%I', n.nspname, x.collname) || CASE x.collencoding WHEN -1 THEN '' ELSE ' ' || pg_encoding_to_char(x.collencoding) END,
       concat_ws(' ', x.collprovider, x.collisdeterministic, x.collcollate, x.collctype, x.colllocale,
         'rules ' || quote_literal(x.collicurules), 'owner', pg_get_userbyid(x.collowner))
  FROM pg_collation x JOIN pg_namespace n ON n.oid = x.collnamespace
 WHERE {USER_SCHEMA} AND {not_of_extension("pg_collation", "x.oid")}
"""


def _changed_grants(catalog: str, column: str, kind: str, owner: str, condition: str = "true", schema: str = "") -> str:
    """Changed grants on objects of the server and of extensions. pg_dump dumps these, except those of
    information_schema."""
    in_catalog = f" AND x.{schema} = 'pg_catalog'::regnamespace" if schema else ""
    return f"""
SELECT 'grants on ' || o.type, o.identity, {acl("x." + column, kind, "x." + owner)}
  FROM {catalog} x LEFT JOIN pg_init_privs i ON i.classoid = '{catalog}'::regclass AND i.objoid = x.oid AND i.objsubid = 0,
       pg_identify_object('{catalog}'::regclass, x.oid, 0) o
 WHERE x.{column} IS DISTINCT FROM i.initprivs AND ({condition}) AND (x.oid < {FIRST_USER_OID}{in_catalog} OR {of_extension(catalog, "x.oid")})
   AND {acl("x." + column, kind, "x." + owner)} <> {acl("i.initprivs", kind, "x." + owner)}
"""


_GRANTS = (
    _changed_grants("pg_class", "relacl", "r", "relowner", "x.relkind <> 'S'", "relnamespace"),
    _changed_grants("pg_class", "relacl", "s", "relowner", "x.relkind = 'S'", "relnamespace"),
    _changed_grants("pg_proc", "proacl", "f", "proowner", schema="pronamespace"),
    _changed_grants("pg_type", "typacl", "T", "typowner", schema="typnamespace"),
    _changed_grants("pg_language", "lanacl", "l", "lanowner"),
    _changed_grants(
        "pg_namespace", "nspacl", "n", "nspowner", "x.nspname <> 'public' AND x.nspname <> 'information_schema'"
    ),
    _changed_grants("pg_foreign_data_wrapper", "fdwacl", "F", "fdwowner"),
    _changed_grants("pg_foreign_server", "srvacl", "S", "srvowner"),
    f"""
SELECT 'grants on column', format('%I.%I.%I', n.nspname, c.relname, a.attname), {acl("a.attacl", "c", "c.relowner")}
  {JOIN_RELATION} JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped
  LEFT JOIN pg_init_privs i ON i.classoid = 'pg_class'::regclass AND i.objoid = c.oid AND i.objsubid = a.attnum
 WHERE a.attacl IS DISTINCT FROM i.initprivs AND (c.oid < {FIRST_USER_OID} AND n.nspname = 'pg_catalog' OR {of_extension("pg_class", "c.oid")})
""",
)

_ON_EXTENSIONS = f"""
SELECT '{EXTENSIONS_OWN} ' || part.kind, {RELATION} || '.' || part.name, part.definition
  {JOIN_RELATION}, LATERAL (
    SELECT 'column' AS kind, quote_ident(a.attname) AS name, format_type(a.atttypid, a.atttypmod) AS definition
      FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL SELECT 'index', quote_ident(x.relname), pg_get_indexdef(x.oid)
      FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = c.oid
    UNION ALL SELECT 'trigger', quote_ident(t.tgname), pg_get_triggerdef(t.oid) || ' ' || t.tgenabled::text
      FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal
    UNION ALL SELECT 'rule', quote_ident(r.rulename), pg_get_ruledef(r.oid)
      FROM pg_rewrite r WHERE r.ev_class = c.oid AND r.rulename <> '_RETURN'
    UNION ALL SELECT 'constraint', quote_ident(k.conname), pg_get_constraintdef(k.oid)
      FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype IN ('c', 'f', 'p', 'u', 'x')
    UNION ALL SELECT 'row security', 'state', concat_ws(' ', c.relrowsecurity, c.relforcerowsecurity)
  ) part
 WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND {of_extension("pg_class", "c.oid")}
"""


def _together(mappings: str) -> Iterator[str]:
    for part in (
        _SCHEMAS,
        _TABLES,
        _COLUMNS,
        _INDEXES,
        _CONSTRAINTS,
        _TRIGGERS,
        _POLICIES,
        _VIEWS,
        _SEQUENCES,
        _FUNCTIONS,
        _TYPES,
        _EXTENSIONS,
        _COMMENTS,
        _DEFAULT_GRANTS,
        _STATISTICS,
        _PUBLICATIONS,
        _FOREIGN,
        mappings,
        _TEXT_SEARCH,
        _OPERATORS,
        _LANGUAGES,
        *_GRANTS,
        _ON_EXTENSIONS,
    ):
        yield f"SELECT * FROM ({part.strip()}) q(kind, name, definition)"


SCHEMA = "\nUNION ALL\n".join(_together(_MAPPINGS))
SCHEMA_WITHOUT_MAPPINGS = "\nUNION ALL\n".join(_together(f"{_MAPPING}, '{UNREADABLE}' FROM pg_user_mappings m"))
