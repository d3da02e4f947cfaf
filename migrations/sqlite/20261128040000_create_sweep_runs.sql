-- How each reconciler ran last: one row for the last run, the last that did something, the last that failed.
CREATE TABLE sweep_runs (
    name     TEXT NOT NULL,
    kind     TEXT NOT NULL,
    at       TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (name, kind)
) WITHOUT ROWID;
