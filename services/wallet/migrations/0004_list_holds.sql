-- Holds are listed newest first, of one state or of each.
CREATE INDEX holds_newest ON holds (organization_id, state, create_time, reference_id);
