\echo Use "CREATE EXTENSION keep_rows" to load this file. \quit
-- Refuses to drop a table or a column that holds rows unless the session names the proven backup that has them:
--   SET keep_rows.proven_backup = 'ledgerflow_db_backup_20250101_020000.sql.gz';
-- When the engine tells what was dropped, the table is gone and cannot be counted, so tables with rows are noted
-- before the command. A drop that could not be looked at beforehand is refused as well.

CREATE FUNCTION keep_rows_proven_backup() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT coalesce(current_setting('keep_rows.proven_backup', true), '') ~ '^[^/[:space:]]+_backup_[0-9]{8}_[0-9]{6}\.(sql|tar)\.gz$'
$$;

CREATE FUNCTION keep_rows_has_rows(wanted oid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off
AS $$
DECLARE
  found boolean;
BEGIN
  EXECUTE format('SELECT EXISTS (SELECT FROM %s)', wanted::regclass) INTO found;
  RETURN found;
END
$$;
REVOKE ALL ON FUNCTION keep_rows_has_rows(oid) FROM PUBLIC;

CREATE FUNCTION keep_rows_note() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off
AS $$
DECLARE
  noted text := '';
BEGIN
  IF tg_tag LIKE 'DROP %' AND NOT keep_rows_proven_backup() THEN
    SELECT 'looked ' || coalesce(string_agg(one.oid::text, ' '), '') || ' ' INTO noted
    FROM pg_class one
    WHERE one.relkind = 'r' AND one.relpersistence <> 't' AND one.oid >= 16384 AND keep_rows_has_rows(one.oid);
  END IF;
  PERFORM set_config('keep_rows.noted', noted, true);
END
$$;

CREATE FUNCTION keep_rows_refuse() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off
AS $$
DECLARE
  noted text := current_setting('keep_rows.noted', true);
  lost record;
  reason text;
BEGIN
  IF keep_rows_proven_backup() THEN
    RETURN;
  END IF;
  FOR lost IN SELECT * FROM pg_event_trigger_dropped_objects() WHERE classid = 'pg_class'::regclass AND NOT is_temporary LOOP
    reason := CASE
      WHEN lost.object_type = 'table' AND coalesce(noted, '') NOT LIKE 'looked %' THEN 'could not be looked at before'
      WHEN lost.object_type = 'table' AND strpos(noted, ' ' || lost.objid || ' ') > 0 THEN 'holds rows'
      WHEN lost.object_type = 'table column' AND EXISTS (SELECT FROM pg_class WHERE oid = lost.objid AND relkind IN ('r', 'p'))
        THEN CASE WHEN keep_rows_has_rows(lost.objid) THEN 'is of a table that holds rows' END
    END;
    IF reason IS NOT NULL THEN
      RAISE EXCEPTION '% %: % %, and no proven backup is named', tg_tag, lost.object_identity, 'it', reason
        USING ERRCODE = 'object_in_use',
          HINT = 'Take and prove a backup, then name it in this session: '
            'SET keep_rows.proven_backup = ''<prefix>_db_backup_<date>_<time>.sql.gz''';
    END IF;
  END LOOP;
END
$$;

CREATE EVENT TRIGGER keep_rows_note ON ddl_command_start EXECUTE FUNCTION keep_rows_note();
CREATE EVENT TRIGGER keep_rows_refuse ON sql_drop EXECUTE FUNCTION keep_rows_refuse();
