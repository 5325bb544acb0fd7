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

-- The few certificates that PayPal signs with, so that a restart need not fetch them. They are verified
-- whenever they are read: who writes here is believed nothing.
CREATE TABLE signing_certificates (
    url text NOT NULL,
    pem bytea NOT NULL,
    learn_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT signing_certificates_pkey PRIMARY KEY (url),
    CONSTRAINT signing_certificates_pem_is_short CHECK (octet_length(pem) <= 65536)
);

GRANT SELECT, INSERT, UPDATE (counts_until), DELETE ON transmissions TO billing_gateway;

GRANT SELECT, INSERT, UPDATE (pem, learn_time), DELETE ON signing_certificates TO billing_gateway;
