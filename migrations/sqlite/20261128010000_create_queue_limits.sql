-- What operators allow a queue instead of what its workflow says; null: as the workflow says.
CREATE TABLE queue_limits (
    stage       TEXT    PRIMARY KEY,
    concurrency INTEGER,
    rate        REAL,
    reason      TEXT    NOT NULL,
    actor       TEXT    NOT NULL,
    since       TEXT    NOT NULL
) WITHOUT ROWID;
