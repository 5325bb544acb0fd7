-- Each change of a campaign gives it the next revision of all, under its organization's lock: within an
-- organization whoever has seen a revision can see all that are lower. (So no session may keep numbers in
-- stock: CACHE is 1.)
CREATE SEQUENCE campaign_revisions AS bigint CACHE 1;

ALTER TABLE campaigns ADD COLUMN revision bigint NOT NULL DEFAULT nextval('campaign_revisions');

CREATE UNIQUE INDEX campaigns_revision ON campaigns (organization_id, revision);

GRANT USAGE ON SEQUENCE campaign_revisions TO campaign;

GRANT UPDATE (revision) ON campaigns TO campaign;
