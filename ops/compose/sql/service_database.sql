-- One service's database, which is named like the service: its three roles, and that nobody else may do
-- anything here. A superuser runs this in that database, again whenever it changes: what is missing is made,
-- and what was changed is set back. The settings tollgate.owner_password, tollgate.service_password and
-- tollgate.reader_password are the roles' passwords.
--   <service>_owner owns the database and migrates it.
--   <service> serves, and may do what the migrations grant.
--   <service>_reader is for people: it reads what migrations/reader.sql says, and writes nothing.

-- The database's owner may make functions here: none of them is to be taken for PostgreSQL's own by a superuser.
SET search_path = pg_catalog, pg_temp;

DO $$
DECLARE
    service text := current_database();
    owner text := service || '_owner';
    reader text := service || '_reader';
    passwords jsonb := jsonb_build_object(
        owner, current_setting('tollgate.owner_password'),
        service, current_setting('tollgate.service_password'),
        reader, current_setting('tollgate.reader_password')
    );
    role text;
    everybodys text;
BEGIN
    FOREACH role IN ARRAY ARRAY[owner, service, reader] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I', role);
        END IF;
        EXECUTE format(
            'ALTER ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS NOINHERIT'
                ' PASSWORD %L',
            role, passwords ->> role
        );
    END LOOP;

    -- Wider than what the service asks for on each of its connections: this holds for whatever else connects.
    EXECUTE format('ALTER ROLE %I SET statement_timeout = ''60s''', service);
    EXECUTE format('ALTER ROLE %I SET lock_timeout = ''5s''', service);
    EXECUTE format('ALTER ROLE %I SET idle_in_transaction_session_timeout = ''60s''', service);

    -- Who looks shall not hold up who works: not by a long look, nor by one that was forgotten.
    EXECUTE format('ALTER ROLE %I CONNECTION LIMIT 5', reader);
    EXECUTE format('ALTER ROLE %I SET default_transaction_read_only = on', reader);
    EXECUTE format('ALTER ROLE %I SET statement_timeout = ''30s''', reader);
    EXECUTE format('ALTER ROLE %I SET lock_timeout = ''1s''', reader);
    EXECUTE format('ALTER ROLE %I SET idle_in_transaction_session_timeout = ''60s''', reader);
    EXECUTE format('ALTER ROLE %I SET idle_session_timeout = ''1h''', reader);
    EXECUTE format('ALTER ROLE %I SET temp_file_limit = ''1GB''', reader);

    -- Whoever else connects, psql as the owner or a superuser among them: a transaction that was forgotten ends
    -- by itself. pg_dump turns this off for itself.
    EXECUTE format('ALTER DATABASE %I SET idle_in_transaction_session_timeout = ''60s''', service);

    EXECUTE format('ALTER DATABASE %I OWNER TO %I', service, owner);
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', service);
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I, %I', service, service, reader);
    REVOKE ALL ON SCHEMA public FROM PUBLIC;
    EXECUTE format('GRANT USAGE, CREATE ON SCHEMA public TO %I', owner);
    EXECUTE format('GRANT USAGE ON SCHEMA public TO %I, %I', service, reader);

    -- With these anybody could write who may do nothing else, or hold up who works: a lock that needs no table
    -- may be anybody's, and the server has one table of locks for all of its databases.
    FOR everybodys IN
        SELECT oid::regprocedure FROM pg_proc
        WHERE pronamespace = 'pg_catalog'::regnamespace
          AND (
              proname IN (
                  'lo_creat', 'lo_create', 'lo_from_bytea', 'lo_import', 'pg_export_snapshot',
                  'pg_logical_emit_message'
              )
              OR proname LIKE 'pg\_%advisory%'
          )
    LOOP
        EXECUTE format(
            'REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC, %I, %I, %I', everybodys, owner, service, reader
        );
    END LOOP;
    EXECUTE format('GRANT EXECUTE ON FUNCTION pg_advisory_lock(bigint) TO %I', owner);
    IF service = 'billing_gateway' THEN
        GRANT EXECUTE ON FUNCTION pg_advisory_xact_lock(bigint), pg_try_advisory_xact_lock(bigint)
            TO billing_gateway;
    END IF;
END
$$;

-- Which transactions of this database may keep others waiting, and the end of one of them: the service's role may
-- ask for no more than that, and for none of another database. Only a superuser sees and ends anybody's session; so
-- these run as one, find nothing but what is PostgreSQL's own, and do not call each other: the database's owner
-- could put something else in the place of either.
DO $$
DECLARE
    service text := current_database();
    columns text := 'process_id integer, role text, application_name text, state text, start_time timestamptz,'
        ' waiting_count integer';
    -- Who waits for such a lock keeps those waiting who come later. What is locked to be read, by a backup or a
    -- long report, is left out; so are tables that nobody else sees.
    long_ones text := $long_ones$
WITH waits AS MATERIALIZED (
    SELECT DISTINCT pid, unnest(pg_blocking_pids(pid)) AS blocker
    FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
)
SELECT pid, coalesce(usename::text, ''), coalesce(application_name, ''), coalesce(state, ''), xact_start,
    (SELECT count(*)::integer FROM waits WHERE blocker = session.pid)
FROM pg_stat_activity AS session
WHERE datname = current_database()
  AND backend_type = 'client backend'
  AND pid <> pg_backend_pid()
  AND xact_start <= clock_timestamp() - interval '5 seconds'
  AND EXISTS (
      SELECT FROM pg_locks JOIN pg_class ON pg_class.oid = relation
      WHERE pg_locks.pid = session.pid
        AND database = datid
        AND mode NOT IN ('AccessShareLock', 'SIReadLock')
        AND relkind IN ('r', 'p', 'm')
        AND relpersistence <> 't'
        AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
  )
$long_ones$;
BEGIN
    DROP FUNCTION IF EXISTS public.list_long_transactions(), public.end_long_transaction(integer);

    EXECUTE format(
        'CREATE FUNCTION public.list_long_transactions() RETURNS TABLE (%s)'
            ' LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS %L',
        columns, long_ones
    );
    -- What is to be ended is found first, and then ended; it is waited for, so that its locks are free.
    EXECUTE format(
        'CREATE FUNCTION public.end_long_transaction(of_process_id integer) RETURNS TABLE (%s)'
            ' LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS %L',
        columns,
        format(
            'WITH listed (%s) AS (%s),'
                ' found AS MATERIALIZED (SELECT * FROM listed WHERE process_id = of_process_id)'
                ' SELECT * FROM found WHERE pg_terminate_backend(process_id, 2000) IS NOT NULL',
            'process_id, role, application_name, state, start_time, waiting_count', long_ones
        )
    );
    REVOKE ALL ON FUNCTION public.list_long_transactions(), public.end_long_transaction(integer) FROM PUBLIC;
    EXECUTE format(
        'GRANT EXECUTE ON FUNCTION public.list_long_transactions(), public.end_long_transaction(integer) TO %I',
        service
    );
END
$$;
