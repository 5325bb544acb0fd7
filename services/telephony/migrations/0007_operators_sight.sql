-- Whose calls got no answer: those of intents to have an account made are heard as well, which have no SID.
ALTER TABLE twilio_trouble RENAME COLUMN failing_account_sids TO failing_names;
