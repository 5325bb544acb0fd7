-- Since when attempts fail; of what failed before this was kept, since now.
ALTER TABLE provisions ADD COLUMN failing_time timestamptz;

UPDATE provisions SET failing_time = now() WHERE last_error <> '';

ALTER TABLE provisions
    ADD CONSTRAINT provisions_failing_has_a_time CHECK ((failing_time IS NOT NULL) = (last_error <> ''));

GRANT UPDATE (failing_time) ON provisions TO telephony;

DROP INDEX provisions_failing_create_time;

CREATE INDEX provisions_failing_time ON provisions (failing_time) WHERE failing_time IS NOT NULL;
