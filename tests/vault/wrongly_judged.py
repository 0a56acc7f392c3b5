"""Small databases that a proof once judged wrongly, and their siblings. Made up for these tests; each name is what it holds."""
# ruff: noqa: E501  - SQL keeps its own lines

LEDGER = """
CREATE TABLE public.ledger (id serial PRIMARY KEY, amount numeric(12, 2), note text);
INSERT INTO public.ledger (amount, note) SELECT i * 1.10, 'n' || i FROM generate_series(1, 20) i;
CREATE INDEX ledger_note ON public.ledger (note);
"""
_REFUSE = """
CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'append only'; END$$;
CREATE TRIGGER row_kept BEFORE UPDATE OR DELETE ON public.ledger FOR EACH ROW EXECUTE FUNCTION public.refuse();
CREATE TRIGGER all_kept BEFORE TRUNCATE ON public.ledger FOR EACH STATEMENT EXECUTE FUNCTION public.refuse();
"""
_LOG = """
CREATE TABLE public.log (id serial PRIMARY KEY, tag text); INSERT INTO public.log (tag) VALUES ('first');
CREATE FUNCTION public.note() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN
  IF current_setting('transaction_read_only') = 'off' THEN INSERT INTO public.log (tag) VALUES (tg_tag); END IF; END$$;
CREATE MATERIALIZED VIEW public.sums AS SELECT sum(amount) FROM public.ledger;
"""
_EVERY_TYPE = """
CREATE TABLE public.typed (a text, b bytea, c timestamptz, d interval, e text[], f money, g float8, h date, i xml, j text);
INSERT INTO public.typed VALUES ('Été', '\\x00ff5c', '2025-03-30 02:30:00+00', '-1 mons +2 days -03:04:05', '{a,NULL,"NULL"}', '1234.50',
  1.0 / 3, '2025-02-03', '<a>b</a> c', E'back\\\\slash');
CREATE INDEX typed_null ON public.typed (a) WHERE (b IS NULL OR j = 'x\\y');
"""
_SETTINGS = """
ALTER DATABASE :database SET client_encoding = 'LATIN1'; ALTER DATABASE :database SET "DateStyle" = 'SQL, DMY';
ALTER DATABASE :database SET "IntervalStyle" = 'sql_standard'; ALTER DATABASE :database SET bytea_output = 'escape';
ALTER DATABASE :database SET array_nulls = off; ALTER DATABASE :database SET standard_conforming_strings = off;
ALTER DATABASE :database SET escape_string_warning = off; ALTER DATABASE :database SET extra_float_digits = -15;
ALTER DATABASE :database SET xmloption = 'document'; ALTER DATABASE :database SET "TimeZone" = 'Asia/Kathmandu';
ALTER DATABASE :database SET transform_null_equals = on; ALTER DATABASE :database SET quote_all_identifiers = on;
ALTER DATABASE :database SET search_path = 'nowhere'; ALTER DATABASE :database SET row_security = off;
ALTER DATABASE :database SET default_transaction_read_only = on; ALTER DATABASE :database SET default_transaction_isolation = 'serializable';
ALTER DATABASE :database SET default_transaction_deferrable = on; ALTER DATABASE :database SET lock_timeout = '1ms';
ALTER DATABASE :database SET session_replication_role = 'replica'; ALTER DATABASE :database SET check_function_bodies = off;
ALTER DATABASE :database SET statement_timeout = '1ms';
"""
_NAMES = """
CREATE SEQUENCE public."a
b"; SELECT nextval('public."a
b"'); CREATE SEQUENCE public."it's"; SELECT setval('public."it''s"', 7); CREATE SEQUENCE public."back\\slash"; SELECT setval('public."back\\slash"', 8);
CREATE SEQUENCE public."100 % ""q"" 表"; SELECT setval('public."100 % ""q"" 表"', 9);
CREATE TABLE public."t
n %s ""q"" 'a' \\ $1 表" ("c
n %s ""q"" 'a' \\ $1 表" integer DEFAULT (1 - (2 - 3)) CONSTRAINT "k
%s '" CHECK ("c
n %s ""q"" 'a' \\ $1 表" IN (1, 2, 3)), v varchar(5) CHECK (v IN ('a', 'b')));
INSERT INTO public."t
n %s ""q"" 'a' \\ $1 表" VALUES (1, 'a'), (2, 'b');
CREATE INDEX "i
%s ""q"" i" ON public."t
n %s ""q"" 'a' \\ $1 表" (v) WHERE v IN ('a', 'b');
CREATE VIEW public."v; Type: TABLE DATA; %s" AS SELECT 1 AS "x
y"; CREATE FUNCTION public."f %s
()"(a integer) RETURNS integer LANGUAGE sql AS 'SELECT $1';
"""

# name: (database's own options, statements)
GOOD: dict[str, tuple[str, str]] = {
    "append_only_by_triggers_that_fire_always": ("", LEDGER + _REFUSE + "ALTER TABLE public.ledger ENABLE ALWAYS TRIGGER row_kept, ENABLE ALWAYS TRIGGER all_kept;"),
    "append_only_by_triggers_of_a_replica": ("", LEDGER + _REFUSE + "ALTER TABLE public.ledger ENABLE REPLICA TRIGGER row_kept, ENABLE REPLICA TRIGGER all_kept;"),
    "append_only_by_a_rule_that_fires_always": ("", LEDGER + "CREATE RULE kept AS ON DELETE TO public.ledger DO INSTEAD NOTHING; ALTER TABLE public.ledger ENABLE ALWAYS RULE kept;"),
    "all_tables_published_and_one_without_a_key": ("", LEDGER + "CREATE TABLE public.setting (k text); INSERT INTO public.setting VALUES ('a'); CREATE PUBLICATION every FOR ALL TABLES;"),
    "columns_and_rows_published_of_a_table_without_a_key": ("", LEDGER + "CREATE TABLE public.setting (k text, v text); INSERT INTO public.setting VALUES ('a', 'b');"
        " CREATE PUBLICATION few FOR TABLE public.setting (k, v) WHERE (v IN ('b', 'c'));"),
    "partitions_by_the_hash_of_an_enum_below_a_range": ("", LEDGER + "CREATE TYPE public.colour AS ENUM ('red', 'green', 'blue', 'black'); CREATE TABLE public.h (id integer, c public.colour) PARTITION BY RANGE (id);"
        " CREATE TABLE public.h_low PARTITION OF public.h FOR VALUES FROM (0) TO (30) PARTITION BY HASH (c); CREATE TABLE public.h_0 PARTITION OF public.h_low FOR VALUES WITH (MODULUS 2, REMAINDER 0);"
        " CREATE TABLE public.h_1 PARTITION OF public.h_low FOR VALUES WITH (MODULUS 2, REMAINDER 1); CREATE TABLE public.h_rest PARTITION OF public.h DEFAULT;"
        " INSERT INTO public.h SELECT i, (enum_range(NULL::public.colour))[1 + i % 4] FROM generate_series(1, 60) i;"),
    "options_in_another_order": ("", LEDGER + "CREATE VIEW public.v AS SELECT * FROM public.ledger WHERE amount > 0 WITH LOCAL CHECK OPTION; ALTER VIEW public.v SET (security_invoker = on);"
        " CREATE TABLE public.o (a text) WITH (fillfactor = 70, autovacuum_enabled = off, toast.autovacuum_enabled = off); ALTER TABLE public.o RESET (fillfactor); ALTER TABLE public.o SET (fillfactor = 80);"),
    "an_event_trigger_that_writes_at_each_end": ("", LEDGER + _LOG + "CREATE EVENT TRIGGER noted ON ddl_command_end EXECUTE FUNCTION public.note();"),
    "event_triggers_that_write_at_start_drop_rewrite_and_login": ("", LEDGER + _LOG + "CREATE EVENT TRIGGER started ON ddl_command_start EXECUTE FUNCTION public.note(); CREATE EVENT TRIGGER dropped ON sql_drop EXECUTE FUNCTION public.note();"
        " CREATE EVENT TRIGGER rewritten ON table_rewrite EXECUTE FUNCTION public.note(); CREATE EVENT TRIGGER entered ON login EXECUTE FUNCTION public.note(); ALTER EVENT TRIGGER entered ENABLE ALWAYS;"),
    "settings_of_the_database_that_bend_a_session": ("", LEDGER + _EVERY_TYPE + _SETTINGS),
    "a_role_set_for_the_database": ("", LEDGER + "ALTER DATABASE :database SET role = 'ledger_app'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO ledger_app;"),
    "names_with_newlines_quotes_percent_and_backslashes": ("", LEDGER + _NAMES),
    "an_extension_with_own_rows_and_a_registered_sequence": ("", LEDGER + "CREATE EXTENSION vault_settings; INSERT INTO public.vault_settings (name, value) VALUES ('rate', '19'), ('unit', 'kg'); SELECT nextval('public.vault_settings_id_seq');"),
    "an_extension_that_registers_nothing_and_has_no_own_rows": ("", LEDGER + "CREATE EXTENSION vault_notes; SELECT nextval('public.vault_notes_id_seq');"),
    "an_extension_older_than_the_default": ("", LEDGER + "CREATE SCHEMA apart; CREATE EXTENSION pg_trgm SCHEMA apart VERSION '1.4'; CREATE INDEX likes ON public.ledger USING gin (note apart.gin_trgm_ops);"),
    "a_database_in_latin1": ("ENCODING 'LATIN1' LOCALE_PROVIDER libc LC_COLLATE 'C' LC_CTYPE 'C'", LEDGER + "CREATE TABLE public.\"été\" (a text); INSERT INTO public.\"été\" VALUES ('Été ß'); COMMENT ON TABLE public.\"été\" IS 'né';"),
    "a_database_without_an_encoding": ("ENCODING 'SQL_ASCII' LOCALE_PROVIDER libc LC_COLLATE 'C' LC_CTYPE 'C'", LEDGER + "INSERT INTO public.ledger (note) VALUES ('Été ß');"),
    "expressions_that_postgresql_writes_anew": ("", LEDGER + """
CREATE TYPE public.status AS ENUM ('x'); CREATE DOMAIN public.code AS varchar(4) DEFAULT ('a'::varchar(3)) CONSTRAINT known CHECK (VALUE IN ('a', 'b'));
CREATE TABLE public.w (id integer PRIMARY KEY, s varchar(8), c public.code, b boolean DEFAULT ('a'::varchar(2) IN ('a', 'b')), g boolean GENERATED ALWAYS AS (s IN ('n', 'o')) STORED,
  CONSTRAINT states CHECK (s IN ('n', 'o')), EXCLUDE USING btree (id WITH =) WHERE (s IN ('n', 'o'))); INSERT INTO public.w VALUES (1, 'n', 'a');
CREATE INDEX w_s ON public.w ((s IN ('n', 'o'))) WHERE s IN ('n', 'o'); CREATE UNIQUE INDEX w_u ON public.w (id) WHERE s NOT IN ('p', 'q'); CREATE STATISTICS public.w_st ON (s IN ('n', 'o')), (s || 'x') FROM public.w;
CREATE VIEW public.w_v AS SELECT s IN ('n', 'o') AS k FROM public.w; CREATE MATERIALIZED VIEW public.w_m AS SELECT s NOT IN ('n', 'o') AS k FROM public.w;
CREATE FUNCTION public.w_f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$;
CREATE FUNCTION public.w_a(s varchar, d boolean DEFAULT ('a'::varchar(2) IN ('a', 'b'))) RETURNS boolean LANGUAGE sql BEGIN ATOMIC SELECT s IN ('n', 'o'); END;
CREATE TRIGGER w_t BEFORE UPDATE ON public.w FOR EACH ROW WHEN (NEW.s IN ('n', 'o')) EXECUTE FUNCTION public.w_f(); CREATE CONSTRAINT TRIGGER w_c AFTER UPDATE ON public.w DEFERRABLE FOR EACH ROW WHEN (NEW.s IN ('n', 'o')) EXECUTE FUNCTION public.w_f();
CREATE RULE w_r AS ON UPDATE TO public.w WHERE NEW.s IN ('n', 'o') DO ALSO SELECT 1; ALTER TABLE public.w ENABLE ROW LEVEL SECURITY; CREATE POLICY w_p ON public.w USING (s IN ('n', 'o')) WITH CHECK (s NOT IN ('n', 'o'));
CREATE TABLE public.w_part (s varchar(8), at date) PARTITION BY LIST ((s IN ('n', 'o'))); CREATE TABLE public.w_yes PARTITION OF public.w_part FOR VALUES IN (true); ALTER TABLE public.w_part ADD CHECK (s IN ('n', 'o')); CREATE INDEX w_at ON public.w_part (at) WHERE s IN ('n', 'o');
CREATE PUBLICATION w_pub FOR TABLE public.w WHERE (id IN (1, 2) OR (id > 5 AND id < 9)) WITH (publish = 'insert'); ALTER VIEW public.w_v ALTER COLUMN k SET DEFAULT ('a'::varchar(2) IN ('a', 'b'));
"""),
}  # fmt: skip

LOST: dict[str, tuple[str, str]] = {
    "rows_of_an_extension_that_registers_nothing": ("table public.vault_notes: 0 rows restored, 2 in the manifest", LEDGER + "CREATE EXTENSION vault_notes; INSERT INTO public.vault_notes (text) VALUES ('mine'), ('too');"),
    "a_shipped_row_of_an_extension_changed": ("table public.vault_settings: 2 rows as in the manifest, but their content differs", LEDGER + "CREATE EXTENSION vault_settings; UPDATE public.vault_settings SET value = 'de' WHERE name = 'language';"),
    "a_table_given_to_an_extension": ("table public.given: missing, 1 rows in the manifest", LEDGER + "CREATE TABLE public.given (a integer); INSERT INTO public.given VALUES (1); ALTER EXTENSION plpgsql ADD TABLE public.given;"),
    "a_table_in_a_schema_of_the_server": ("table information_schema.mine: missing, 1 rows in the manifest", LEDGER + "CREATE TABLE information_schema.mine (a integer); INSERT INTO information_schema.mine VALUES (1);"),
    "options_of_a_user_mapping": ("user mapping far for ledger_app", LEDGER + "CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'far'); CREATE USER MAPPING FOR ledger_app SERVER far OPTIONS (user 'bob', password 'secret');"),
}  # fmt: skip

LEFT_OUT = (
    LEDGER
    + """
CREATE EXTENSION vault_notes; CREATE EXTENSION vault_settings; CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw;
CREATE FOREIGN TABLE public.remote (a integer) SERVER far; CREATE MATERIALIZED VIEW public.sums AS SELECT sum(amount) FROM public.ledger;
CREATE SUBSCRIPTION listening CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false);
CREATE FUNCTION pg_catalog.mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'; COMMENT ON DATABASE :database IS 'ours';
CREATE TABLE public.child (a integer CONSTRAINT of_ledger REFERENCES public.ledger); ALTER TABLE public.child DISABLE TRIGGER ALL;
CREATE TRIGGER added BEFORE INSERT ON public.vault_settings FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
ALTER OPERATOR FAMILY pg_catalog.bool_ops USING btree ADD OPERATOR 1 < (circle, circle); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'public.ledger_note'::regclass;
"""
)
LEFT_OUT_SAID = (
    "passwords of roles",
    "rows of an extension's tables that it does not register, but for those that CREATE EXTENSION makes: public.vault_notes of vault_notes",
    "rows of an extension's tables that its condition leaves to CREATE EXTENSION: public.vault_settings WHERE NOT shipped",
    "rows of foreign tables: public.remote",
    "rows of materialized views (a restore makes them anew): public.sums",
    "subscriptions: listening",
    "functions in a schema of the server: pg_catalog.mine",
    "comments on the database, on roles and tablespaces: ",
    "of_ledger on public.child",
    "operators and functions added to an operator family of the server: pg_catalog.bool_ops",
    "invalid indexes: public.ledger_note",
)

# What schema 1 wrote in one text with an expression in it: constraint, index, column, view, policy, trigger, function.
OLD = (
    LEDGER
    + """
CREATE TABLE public.w (id integer PRIMARY KEY, s varchar(8) DEFAULT CASE WHEN 'a'::varchar(2) IN ('a', 'b') THEN 'n' END CONSTRAINT states CHECK (s IN ('n', 'o')), g boolean GENERATED ALWAYS AS (s IN ('n', 'o')) STORED);
INSERT INTO public.w VALUES (1, 'n'); CREATE INDEX w_s ON public.w ((s IN ('n', 'o'))) WHERE s IN ('n', 'o'); CREATE UNIQUE INDEX w_u ON public.w (id) WHERE s NOT IN ('p', 'q');
CREATE VIEW public.w_v WITH (security_barrier) AS SELECT s IN ('n', 'o') AS k FROM public.w; ALTER TABLE public.w ENABLE ROW LEVEL SECURITY; CREATE POLICY w_p ON public.w USING (s IN ('n', 'o')) WITH CHECK (s NOT IN ('n', 'o'));
CREATE FUNCTION public.w_f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$; CREATE TRIGGER w_t BEFORE UPDATE ON public.w FOR EACH ROW WHEN (NEW.s IN ('n', 'o')) EXECUTE FUNCTION public.w_f();
"""
)
