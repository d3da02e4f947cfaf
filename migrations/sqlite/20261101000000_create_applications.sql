-- Times are UTC text of one width, `2026-11-20T02:00:00.000000Z`, so that they sort. Ids are hyphenated UUIDv7.
-- A document holds the whole record; the columns beside it are what is searched or ordered by.

CREATE TABLE applications (
    id                TEXT PRIMARY KEY,
    owner             TEXT NOT NULL,
    idempotency_key   TEXT NOT NULL,
    request_hash      TEXT NOT NULL,
    holder            TEXT NOT NULL, -- blind index of the holder's document
    kind              TEXT NOT NULL,
    workflow          TEXT NOT NULL,
    status            TEXT NOT NULL,
    stage             TEXT NOT NULL, -- `done` when everything is
    open              INTEGER NOT NULL,
    needs_operator    INTEGER NOT NULL,
    photo_id          TEXT,
    upstream_ref      TEXT,
    error_code        TEXT,
    authority         TEXT,
    submitted_at      TEXT NOT NULL,
    due_at            TEXT,
    deadline_check_at TEXT,
    deadline_level    INTEGER NOT NULL,
    breached          INTEGER NOT NULL,
    calendar          TEXT, -- of the promise, while it is open
    completed_at      TEXT,
    document          TEXT NOT NULL CHECK (json_valid(document)),
    UNIQUE (owner, idempotency_key)
);
CREATE UNIQUE INDEX applications_one_open_per_holder ON applications (holder) WHERE open;
CREATE INDEX applications_of_owner ON applications (owner, id);
CREATE INDEX applications_of_holder ON applications (holder, id);
CREATE INDEX applications_of_reference ON applications (upstream_ref, id) WHERE upstream_ref IS NOT NULL;
CREATE INDEX applications_with_photo ON applications (photo_id, id) WHERE photo_id IS NOT NULL;
CREATE INDEX applications_open ON applications (status, id) WHERE open;
CREATE INDEX applications_for_operators ON applications (id) WHERE needs_operator;
CREATE INDEX applications_to_check ON applications (deadline_check_at) WHERE deadline_check_at IS NOT NULL;
CREATE INDEX applications_promised ON applications (calendar) WHERE calendar IS NOT NULL;
CREATE INDEX applications_at_risk ON applications (breached) WHERE deadline_level > 0;

-- Personal data, encrypted. Erasure empties the ciphertext and its key, and says when.
CREATE TABLE applicants (
    application_id TEXT PRIMARY KEY REFERENCES applications (id),
    key_id         TEXT NOT NULL,
    wrapped_key    BLOB,
    ciphertext     BLOB,
    erased_at      TEXT
);
CREATE INDEX applicants_of_key ON applicants (key_id) WHERE erased_at IS NULL;

-- Work to do; a finished job leaves in the commit that finishes it.
CREATE TABLE jobs (
    application_id TEXT NOT NULL REFERENCES applications (id),
    slot           TEXT NOT NULL,
    stage          TEXT NOT NULL,
    due_at         TEXT NOT NULL,
    lease          TEXT,
    fence          INTEGER NOT NULL,
    attempts       INTEGER NOT NULL,
    crashes        INTEGER NOT NULL,
    priority       INTEGER NOT NULL,
    -- The fence under which a suspect last ran alone in its process.
    alone_fence    INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (application_id, slot)
);
CREATE INDEX jobs_to_claim ON jobs (stage, priority DESC, due_at) WHERE lease IS NULL;
CREATE INDEX jobs_by_due_time ON jobs (stage, due_at) WHERE lease IS NULL;
CREATE INDEX jobs_suspected ON jobs (stage, due_at) WHERE lease IS NULL AND crashes >= 2;
CREATE INDEX jobs_of_lease ON jobs (lease, stage) WHERE lease IS NOT NULL;

CREATE TABLE processes (
    lease       TEXT PRIMARY KEY,
    lease_until TEXT NOT NULL,
    seen_at     TEXT NOT NULL,
    document    TEXT NOT NULL
);

-- How many applications stand where. Read the sum over the shards.
CREATE TABLE counters (
    shard  INTEGER NOT NULL,
    status TEXT NOT NULL,
    stage  TEXT NOT NULL,
    count  INTEGER NOT NULL,
    PRIMARY KEY (shard, status, stage)
);

CREATE TABLE workflows (
    id     TEXT PRIMARY KEY,
    hash   TEXT NOT NULL,
    source TEXT NOT NULL
);

CREATE TABLE calendars (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    version     TEXT NOT NULL,
    source      TEXT NOT NULL,
    imported_at TEXT NOT NULL
);
