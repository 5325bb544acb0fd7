-- What must be suspended and is not known to be may cost money; its drift is as old. And what people hold.
CREATE INDEX subaccounts_unsuspended ON subaccounts (drift_time) WHERE urgent;

CREATE INDEX organizations_blocked ON organizations (operator_block_time)
    WHERE operator_block_time IS NOT NULL;
