-- One service's database, which is named like the service: its three roles, and that nobody else may do
-- anything here. A superuser runs this in that database, again whenever it changes: what is missing is made,
-- and what was changed is set back. The settings tollgate.owner_password, tollgate.service_password and
-- tollgate.reader_password are the roles' passwords.
--   <service>_owner owns the database and migrates it.
--   <service> serves, and may do what the migrations grant.
--   <service>_reader is for people: it reads what migrations/reader.sql says, and writes nothing.
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
