-- Since when an observer has been behind: set with the first revision that it has not acknowledged. Of what is
-- pending already, it is not known any more; nor of what a process of the last release marks meanwhile.
ALTER TABLE announcements ADD COLUMN pending_since timestamptz;

UPDATE announcements SET pending_since = now() WHERE revision > acknowledged_revision;

CREATE INDEX announcements_pending ON announcements (level, observer, pending_since)
    WHERE revision > acknowledged_revision;

GRANT INSERT (pending_since), UPDATE (pending_since) ON announcements TO wallet;
