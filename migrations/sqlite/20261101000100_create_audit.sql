-- The audit log. Nobody changes it: the triggers stop mistakes, the hash chain and its checkpoints find intent.

CREATE TABLE events (
    application_id TEXT NOT NULL,
    seq            INTEGER NOT NULL,
    at             TEXT NOT NULL,
    kind           TEXT NOT NULL,
    actor_kind     TEXT NOT NULL,
    actor_id       TEXT NOT NULL,
    stage          TEXT,
    data           TEXT NOT NULL, -- canonical JSON, exactly as hashed
    hash           TEXT NOT NULL,
    prev_hash      TEXT NOT NULL,
    PRIMARY KEY (application_id, seq)
);
CREATE INDEX events_by_time ON events (at);

CREATE TRIGGER events_are_not_updated BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'audit events are append-only'); END;
CREATE TRIGGER events_are_not_deleted BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'audit events are append-only'); END;
-- INSERT OR REPLACE deletes without asking the trigger above.
CREATE TRIGGER events_are_not_replaced BEFORE INSERT ON events
WHEN EXISTS (SELECT 1 FROM events WHERE application_id = NEW.application_id AND seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'audit events are append-only'); END;

CREATE TABLE checkpoints (
    id       INTEGER PRIMARY KEY,
    until    TEXT NOT NULL,
    document TEXT NOT NULL
);
CREATE TRIGGER checkpoints_are_not_updated BEFORE UPDATE ON checkpoints
BEGIN SELECT RAISE(ABORT, 'checkpoints are append-only'); END;
CREATE TRIGGER checkpoints_are_not_deleted BEFORE DELETE ON checkpoints
BEGIN SELECT RAISE(ABORT, 'checkpoints are append-only'); END;

-- What operators did that belongs to no application.
CREATE TABLE operator_actions (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    at         TEXT NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id   TEXT NOT NULL,
    kind       TEXT NOT NULL,
    data       TEXT NOT NULL
);
CREATE TRIGGER operator_actions_are_not_updated BEFORE UPDATE ON operator_actions
BEGIN SELECT RAISE(ABORT, 'operator actions are append-only'); END;
CREATE TRIGGER operator_actions_are_not_deleted BEFORE DELETE ON operator_actions
BEGIN SELECT RAISE(ABORT, 'operator actions are append-only'); END;
