CREATE TABLE vault_settings (id serial PRIMARY KEY, name text UNIQUE, value text, shipped boolean NOT NULL DEFAULT false);
INSERT INTO vault_settings (name, value, shipped) VALUES ('language', 'en', true), ('currency', 'EUR', true);
SELECT pg_catalog.pg_extension_config_dump('vault_settings', 'WHERE NOT shipped');
SELECT pg_catalog.pg_extension_config_dump('vault_settings_id_seq', '');
