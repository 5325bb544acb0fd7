-- When the provider's running total was as it is, so that refunds which failed later are taken off
-- it, and those are not that had failed before.
ALTER TABLE payments ADD COLUMN refunded_in_all_time timestamptz;
