"""What the wallet does: one write path for every command, reads, and proofs."""
