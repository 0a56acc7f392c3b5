CREATE TABLE vault_notes (id serial PRIMARY KEY, text text);
CREATE FUNCTION vault_noted() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM public.vault_notes';
