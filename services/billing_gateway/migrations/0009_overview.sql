-- When each provider was heard last, and how many subscriptions are in each state, is asked often.
CREATE INDEX webhook_events_of_provider ON webhook_events (provider, receive_time);

CREATE INDEX subscriptions_state ON subscriptions (state);
