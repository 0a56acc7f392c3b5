-- What is hard to back up, added to databases that others made (B25). Made up for these tests.
CREATE SCHEMA "Überzug";
CREATE DOMAIN "Überzug".cents AS numeric(12, 2) CHECK (VALUE <> 0);
CREATE TABLE "Überzug"."Naïve ""q"" § 表" ("Schlüssel" text PRIMARY KEY, "größe" integer);
INSERT INTO "Überzug"."Naïve ""q"" § 表" VALUES ('ä', 1), ('表', 2), (E'tab\t\\.', NULL);
CREATE TABLE "Überzug".numbered (
    id integer GENERATED ALWAYS AS IDENTITY (START 100 INCREMENT 10) PRIMARY KEY, amount "Überzug".cents NOT NULL, note text,
    doubled numeric GENERATED ALWAYS AS (amount * 2) STORED
);
INSERT INTO "Überzug".numbered (amount, note) SELECT i * -2.50, 'n' FROM generate_series(1, 5) i;
CREATE INDEX "numbered größe" ON "Überzug".numbered (amount DESC, note);
CREATE TABLE "Überzug".parts (id integer NOT NULL, what text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE "Überzug".parts_low PARTITION OF "Überzug".parts FOR VALUES FROM (0) TO (5);
CREATE TABLE "Überzug".parts_rest PARTITION OF "Überzug".parts DEFAULT;
CREATE INDEX parts_what ON "Überzug".parts (what);
INSERT INTO "Überzug".parts SELECT i, 'p' || i FROM generate_series(1, 6) i;
CREATE TABLE "Überzug".refers (part integer REFERENCES "Überzug".parts, "number" integer REFERENCES "Überzug".numbered);
INSERT INTO "Überzug".refers VALUES (6, 110);
CREATE TABLE "Überzug".secret (owner_name text, what text);
ALTER TABLE "Überzug".secret ENABLE ROW LEVEL SECURITY; ALTER TABLE "Überzug".secret FORCE ROW LEVEL SECURITY;
CREATE POLICY mine ON "Überzug".secret USING (owner_name = CURRENT_USER);
INSERT INTO "Überzug".secret VALUES ('a', 'b');
SELECT lo_from_bytea(4711, '\x00ff41'); GRANT SELECT ON LARGE OBJECT 4711 TO ledger_backup;
