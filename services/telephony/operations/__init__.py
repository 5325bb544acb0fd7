"""What the service does: one write path for organizations, the reads, and driving Twilio."""
