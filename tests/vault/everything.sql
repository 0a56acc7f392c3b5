-- One of each thing a database may hold (B25). Made up for these tests.
CREATE SCHEMA "Büro";
CREATE EXTENSION pg_trgm WITH SCHEMA public;
CREATE DOMAIN public.cents AS bigint CHECK (VALUE >= -100000000) DEFAULT 0;
CREATE TYPE public.mood AS ENUM ('fine', 'it''s ok', 'bad');
CREATE TYPE public.pair AS (a integer, b text);
CREATE TYPE public.span AS RANGE (subtype = integer);
CREATE COLLATION public.german (provider = icu, locale = 'de-DE');
CREATE FUNCTION public.stamp() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.changed := '2025-01-01'; RETURN NEW; END$$;
CREATE FUNCTION public.twice(x integer) RETURNS integer LANGUAGE sql IMMUTABLE BEGIN ATOMIC SELECT x * 2; END;
CREATE PROCEDURE public.nothing() LANGUAGE sql AS 'SELECT 1';
CREATE AGGREGATE public.product(numeric) (SFUNC = numeric_mul, STYPE = numeric, INITCOND = '1');
CREATE OPERATOR public.=== (LEFTARG = integer, RIGHTARG = integer, FUNCTION = int4eq);
CREATE TABLE "Büro"."Straße ""x"" y" ("sélect" text COLLATE public.german PRIMARY KEY, "a\b" text, "tab	s" text);
INSERT INTO "Büro"."Straße ""x"" y" VALUES ('ä', E'back\\slash', E'new\nline'), ('', NULL, '\N'), (E'\\.', 'SELECT pg_catalog.setval(''public.ahead_id_seq'', 1, true);', '');
CREATE TABLE public.plain (
    id integer GENERATED ALWAYS AS IDENTITY (START 10 INCREMENT 5) PRIMARY KEY,
    amount numeric(30, 10), cents public.cents, feeling public.mood DEFAULT 'fine', parts public.pair, spans public.span,
    tags text[], grid integer[][], raw bytea, doc json, docb jsonb, spoken tsvector, at timestamptz, day date, took interval,
    bits bit(4), place point, cash money, f4 real, f8 double precision, ip inet, u uuid, x xml, status varchar(8)
        CHECK (status IN ('new', 'old')),
    doubled integer GENERATED ALWAYS AS (id * 2) STORED, changed date,
    EXCLUDE USING gist (spans WITH &&)
);
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON public.plain FOR EACH ROW EXECUTE FUNCTION public.stamp();
INSERT INTO public.plain (amount, cents, parts, spans, tags, grid, raw, doc, docb, spoken, at, day, took, bits, place, cash, f4, f8, ip, u, x, status)
SELECT i / 7.0, i, ROW(i, 'p')::public.pair, int4range(i * 10, i * 10 + 5)::text::public.span, ARRAY['a', NULL, 'ü'], '{{1,2},{3,4}}',
       decode(md5(i::text), 'hex'), '{"b":1, "a" : 1.0}', '{"b":1.50,"a":[null]}', to_tsvector('simple', 'word ' || i),
       '2025-03-30 02:30:00+00'::timestamptz + i * interval '1 hour', '2024-12-01'::date + i, i * interval '1 day 3 minutes',
       B'1010', point(i, -0.0), i::text::money, i / 3.0, i / 3.0, '10.0.0.1/24', md5(i::text)::uuid, '<a>b</a>', 'new'
  FROM generate_series(1, 40) i;
ALTER TABLE public.plain ALTER COLUMN tags SET STORAGE EXTERNAL, ALTER COLUMN amount SET STATISTICS 500, ALTER COLUMN day SET (n_distinct = 5);
CREATE INDEX plain_part ON public.plain (day DESC NULLS LAST) INCLUDE (cents) WHERE status = 'new';
CREATE INDEX plain_expr ON public.plain USING gin (lower(status) public.gin_trgm_ops);
CREATE STATISTICS public.plain_stats (dependencies) ON day, cents FROM public.plain;
CREATE TABLE public.gone (a integer, b integer, c text); ALTER TABLE public.gone DROP COLUMN b; ALTER TABLE public.gone ADD COLUMN d numeric DEFAULT 1.50;
INSERT INTO public.gone VALUES (1, 'x'), (1, 'x'), (2, NULL);
CREATE UNLOGGED TABLE public.fleeting (a integer); INSERT INTO public.fleeting VALUES (1);
CREATE TABLE public.parent (id integer PRIMARY KEY, at date NOT NULL); CREATE TABLE public.child (extra text) INHERITS (public.parent);
ALTER TABLE public.parent ADD COLUMN later text; INSERT INTO public.parent VALUES (1, '2025-01-01', 'l'); INSERT INTO public.child VALUES (2, '2025-01-02', 'e', 'l');
CREATE TABLE public.pay (id bigint, at date NOT NULL, amount numeric, plain_id integer REFERENCES public.plain, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE public.pay_24 PARTITION OF public.pay FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE public.pay_25 (plain_id integer, amount numeric, at date NOT NULL, id bigint NOT NULL);
ALTER TABLE public.pay ATTACH PARTITION public.pay_25 FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE public.pay_other PARTITION OF public.pay DEFAULT;
CREATE INDEX pay_amount ON public.pay (amount);
INSERT INTO public.pay SELECT i, '2024-06-01'::date + i * 20, i * 1.10, NULL FROM generate_series(1, 60) i;
CREATE TABLE public.target (LIKE public.pay INCLUDING ALL); ALTER TABLE public.target ADD FOREIGN KEY (id, at) REFERENCES public.pay;
CREATE VIEW public.seen WITH (security_barrier) AS SELECT id, amount FROM public.plain WHERE status IN ('new', 'old');
CREATE MATERIALIZED VIEW public.sums AS SELECT count(*) AS n FROM public.pay; CREATE MATERIALIZED VIEW public.empty_sums AS SELECT 1 AS one WITH NO DATA;
CREATE RULE quiet AS ON DELETE TO public.parent DO INSTEAD NOTHING;
CREATE TABLE public.secret (owner_name text, what text); ALTER TABLE public.secret ENABLE ROW LEVEL SECURITY; ALTER TABLE public.secret FORCE ROW LEVEL SECURITY;
CREATE POLICY mine ON public.secret FOR SELECT TO ledger_app USING (owner_name = CURRENT_USER); INSERT INTO public.secret VALUES ('a', 'b');
CREATE SEQUENCE public.down INCREMENT -1 CYCLE; SELECT nextval('public.down'); CREATE SEQUENCE "Büro"."unused";
CREATE TABLE public.ahead (id serial PRIMARY KEY, note text); INSERT INTO public.ahead (note) VALUES ('a'), ('b'); SELECT setval('public.ahead_id_seq', 100);
COMMENT ON TABLE public.plain IS E'it''s\na comment'; COMMENT ON COLUMN public.plain.day IS 'day'; COMMENT ON INDEX public.plain_part IS 'i';
GRANT SELECT (id, amount) ON public.plain TO ledger_app; GRANT SELECT ON public.seen TO PUBLIC; REVOKE EXECUTE ON FUNCTION public.twice(integer) FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE ledger_admin IN SCHEMA public GRANT SELECT ON TABLES TO ledger_app;
CREATE TEXT SEARCH CONFIGURATION public.plainwords (COPY = simple); CREATE PUBLICATION few FOR TABLE public.gone WHERE (a > 0);
CREATE FUNCTION public.noticed() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN END$$; CREATE EVENT TRIGGER noticed ON ddl_command_end EXECUTE FUNCTION public.noticed();
SELECT lo_from_bytea(4711, '\x00ff41'); SELECT lo_from_bytea(4712, decode(repeat('ab', 1500000), 'hex')); SELECT lo_create(4713);
ALTER LARGE OBJECT 4711 OWNER TO ledger_admin; GRANT SELECT ON LARGE OBJECT 4711 TO ledger_backup; GRANT SELECT ON LARGE OBJECT 4712 TO ledger_backup; GRANT SELECT ON LARGE OBJECT 4713 TO ledger_backup;
