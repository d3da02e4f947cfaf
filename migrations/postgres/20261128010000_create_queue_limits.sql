-- What operators allow a queue instead of what its workflow says; null: as the workflow says.
CREATE TABLE queue_limits (
    stage       text             PRIMARY KEY,
    concurrency bigint,
    rate        double precision,
    reason      text             NOT NULL,
    actor       text             NOT NULL,
    since       timestamptz      NOT NULL
);
