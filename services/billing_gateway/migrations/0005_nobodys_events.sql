-- What is done and nobody's is settled again, as what is parked, once something is known of its objects.
CREATE INDEX webhook_events_nobodys_objects ON webhook_events USING gin (object_ids)
    WHERE state = 'PARKED' OR (state = 'DONE' AND organization_id = '');

DROP INDEX webhook_events_parked_objects;
