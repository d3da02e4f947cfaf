-- The outbox: changes of status to be posted to upstream systems. `seq` orders those of one application.
CREATE TABLE webhooks (
    seq            INTEGER PRIMARY KEY AUTOINCREMENT,
    id             TEXT NOT NULL UNIQUE,
    application_id TEXT NOT NULL,
    url            TEXT NOT NULL,
    document       TEXT NOT NULL,
    attempts       INTEGER NOT NULL DEFAULT 0,
    due_at         TEXT NOT NULL,
    held_until     TEXT, -- while a process tries
    dead           INTEGER NOT NULL DEFAULT 0,
    last_error     TEXT,
    created_at     TEXT NOT NULL
);
CREATE INDEX webhooks_of_application ON webhooks (application_id, seq) WHERE NOT dead;
CREATE INDEX webhooks_due ON webhooks (max(due_at, coalesce(held_until, ''))) WHERE NOT dead;
CREATE INDEX webhooks_dead ON webhooks (seq) WHERE dead;

CREATE TABLE api_keys (
    id         TEXT PRIMARY KEY,
    digest     TEXT NOT NULL,
    name       TEXT NOT NULL,
    owner      TEXT NOT NULL,
    scopes     TEXT NOT NULL, -- JSON array of wire names
    created_at TEXT NOT NULL,
    revoked_at TEXT
);

CREATE TABLE pauses (
    stage    TEXT PRIMARY KEY,
    reason   TEXT NOT NULL,
    actor    TEXT NOT NULL,
    since    TEXT NOT NULL,
    until    TEXT
);

CREATE TABLE alerts (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    kind           TEXT NOT NULL,
    application_id TEXT NOT NULL,
    at             TEXT NOT NULL,
    mailed_at      TEXT
);
CREATE INDEX alerts_to_mail ON alerts (id) WHERE mailed_at IS NULL;

CREATE TABLE batches (
    id         TEXT PRIMARY KEY,
    actor_kind TEXT NOT NULL,
    actor_id   TEXT NOT NULL,
    created_at TEXT NOT NULL,
    matched    INTEGER NOT NULL
);
CREATE TABLE batch_items (
    batch_id       TEXT NOT NULL REFERENCES batches (id),
    application_id TEXT NOT NULL,
    result         TEXT,
    PRIMARY KEY (batch_id, application_id)
);
CREATE INDEX batch_items_pending ON batch_items (batch_id, application_id) WHERE result IS NULL;
