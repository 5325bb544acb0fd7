-- Whose calls got no answer: of subaccounts that were to be changed, or of intents to have one made, which
-- have no SID. Where 0007_operators_sight.sql was applied, a file that is no more, they are called so already.
DO $$
BEGIN
    IF EXISTS (
        SELECT FROM information_schema.columns
        WHERE table_schema = current_schema() AND table_name = 'twilio_trouble'
          AND column_name = 'failing_account_sids'
    ) THEN
        ALTER TABLE twilio_trouble RENAME COLUMN failing_account_sids TO failing_names;
    END IF;
END
$$;
