-- The service's role keeps what its statements need: the keys of what it has written stay as they are, and what
-- is set by default is not chosen. Nobody calls what only the functions of this schema need.
REVOKE ALL ON FUNCTION entry_moved_micros(text, bigint) FROM PUBLIC;

REVOKE ALL ON FUNCTION entry_held_micros(text, bigint) FROM PUBLIC;

REVOKE INSERT, UPDATE ON announcements FROM wallet;

GRANT INSERT (organization_id, level, key, observer, revision, due_time), UPDATE (
    revision, acknowledged_revision, due_time, attempt_count, last_error
) ON announcements TO wallet;
