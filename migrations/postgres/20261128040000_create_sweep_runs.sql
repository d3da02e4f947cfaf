-- How each reconciler ran last: one row for the last run, the last that did something, the last that failed.
CREATE TABLE sweep_runs (
    name     text        NOT NULL,
    kind     text        NOT NULL,
    at       timestamptz NOT NULL,
    document text        NOT NULL,
    PRIMARY KEY (name, kind)
);
