"""Stand-ins for the payment providers: stateful, with signed webhooks, failing on demand."""
