-- What was forecast in each hour (since 1970-01-01T00:00Z) about due times, and what came of it.
CREATE TABLE forecasts (
    hour     INTEGER PRIMARY KEY,
    at       TEXT    NOT NULL,
    until    TEXT    NOT NULL,
    open     INTEGER NOT NULL,
    missed   INTEGER NOT NULL,
    at_best  INTEGER NOT NULL,
    at_worst INTEGER NOT NULL,
    came     INTEGER -- once the last due time has passed
);
