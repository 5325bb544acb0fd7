-- driving_claim_number: the last claim that was to drive the subaccount. Others are to end what goes on after a
-- suspension, and say nothing of how it stands.
ALTER TABLE subaccounts ADD COLUMN driving_claim_number bigint NOT NULL DEFAULT 0;

UPDATE subaccounts SET driving_claim_number = claim_number;

GRANT UPDATE (driving_claim_number) ON subaccounts TO telephony;
