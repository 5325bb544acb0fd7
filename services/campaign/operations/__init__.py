"""What the service does: one write path for organizations, one for campaigns, and the reads."""
