-- What PayPal signs of a body is a checksum that other bodies can be made to have. So an id that it
-- signed stands for one body, until PayPal's signature would not count any more. Only that end is ever
-- written again, with what it was: so that a body is compared with what others are inserting.
CREATE TABLE transmissions (
    provider text NOT NULL,
    transmission_id text NOT NULL,
    body_sha256 bytea NOT NULL,
    counts_until timestamptz NOT NULL,
    CONSTRAINT transmissions_pkey PRIMARY KEY (provider, transmission_id),
    CONSTRAINT transmissions_body_is_hashed CHECK (octet_length(body_sha256) = 32)
);

CREATE INDEX transmissions_counts_until ON transmissions (counts_until);

GRANT SELECT, INSERT, UPDATE (counts_until), DELETE ON transmissions TO billing_gateway;
