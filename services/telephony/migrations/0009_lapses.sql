-- Lapses are walked through in pages, each of which goes on behind the last one's place.
CREATE INDEX organizations_lapse ON organizations (reevaluate_time, organization_id)
    WHERE reevaluate_time IS NOT NULL;

DROP INDEX organizations_reevaluate_time;
