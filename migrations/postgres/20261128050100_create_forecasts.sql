-- What was forecast in each hour (since 1970-01-01T00:00Z) about due times, and what came of it.
CREATE TABLE forecasts (
    hour     bigint      PRIMARY KEY,
    at       timestamptz NOT NULL,
    until    timestamptz NOT NULL,
    open     bigint      NOT NULL,
    missed   bigint      NOT NULL,
    at_best  bigint      NOT NULL,
    at_worst bigint      NOT NULL,
    came     bigint -- once the last due time has passed
);
