"""Stand-ins for Twilio and the payment providers: they remember, and fail on demand."""
