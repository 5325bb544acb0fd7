-- Which trace a delivery began, so that settling it, later and maybe by another process, goes on with that.
ALTER TABLE webhook_events ADD COLUMN traceparent text
    CONSTRAINT webhook_events_traceparent_form CHECK (length(traceparent) <= 64);

GRANT INSERT (traceparent) ON webhook_events TO billing_gateway;
