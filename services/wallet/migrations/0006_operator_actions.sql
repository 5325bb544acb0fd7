-- What somebody does by hand and what leaves no line in another history. Append-only and for ever: the service's
-- role can neither change nor delete a row.
CREATE TABLE operator_actions (
    action_id bigint GENERATED ALWAYS AS IDENTITY,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    action text NOT NULL,
    actor text NOT NULL,
    note text NOT NULL,
    organization_id text NOT NULL,
    reference text NOT NULL,
    CONSTRAINT operator_actions_pkey PRIMARY KEY (action_id),
    CONSTRAINT operator_actions_action_is_named CHECK (action <> '')
);

-- Newest first, each of them: all actions, and those that one of the filters leaves.
CREATE INDEX operator_actions_newest ON operator_actions (create_time, action_id);

CREATE INDEX operator_actions_of_organization ON operator_actions (organization_id, create_time, action_id)
    WHERE organization_id <> '';

CREATE INDEX operator_actions_of_actor ON operator_actions (actor, create_time, action_id) WHERE actor <> '';

CREATE INDEX operator_actions_of_action ON operator_actions (action, create_time, action_id);

GRANT SELECT, INSERT (action, actor, note, organization_id, reference) ON operator_actions TO wallet;
