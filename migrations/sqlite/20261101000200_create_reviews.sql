CREATE TABLE reviews (
    id               TEXT PRIMARY KEY,
    application_id   TEXT NOT NULL REFERENCES applications (id),
    photo_id         TEXT NOT NULL,
    state            TEXT NOT NULL,
    authority        TEXT,
    due_at           TEXT,
    priority         INTEGER NOT NULL,
    supervisor_only  INTEGER NOT NULL,
    reviewer         TEXT, -- of the lease, while claimed
    lease_expires_at TEXT, -- while claimed
    takes_effect_at  TEXT, -- of a decision that has not taken effect yet
    document         TEXT NOT NULL CHECK (json_valid(document))
);
-- '~' sorts after every time: a review without a due time comes last.
CREATE INDEX reviews_by_time_left ON reviews (coalesce(due_at, '~'), id);
CREATE INDEX reviews_in_state ON reviews (state, coalesce(due_at, '~'), id);
CREATE INDEX reviews_to_claim ON reviews (priority DESC, coalesce(due_at, '~'), id) WHERE state = 'open' AND NOT supervisor_only;
CREATE INDEX reviews_leased ON reviews (lease_expires_at) WHERE lease_expires_at IS NOT NULL;
CREATE INDEX reviews_to_take_effect ON reviews (takes_effect_at) WHERE takes_effect_at IS NOT NULL;
CREATE INDEX reviews_of_photo ON reviews (photo_id);
CREATE INDEX reviews_of_application ON reviews (application_id);

-- Reviewers' notes for colleagues, encrypted.
CREATE TABLE review_notes (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    application_id TEXT NOT NULL,
    review_id      TEXT,
    at             TEXT NOT NULL,
    key_id         TEXT NOT NULL,
    wrapped_key    BLOB,
    ciphertext     BLOB,
    erased_at      TEXT
);
CREATE INDEX review_notes_of_application ON review_notes (application_id);

CREATE TABLE photos (
    id         TEXT PRIMARY KEY,
    owner      TEXT NOT NULL,
    source     TEXT NOT NULL,
    width      INTEGER NOT NULL,
    height     INTEGER NOT NULL,
    sha256     TEXT NOT NULL,
    checks     TEXT NOT NULL,
    thresholds TEXT NOT NULL,
    blob       TEXT NOT NULL,
    created_at TEXT NOT NULL,
    erased_at  TEXT
);

CREATE TABLE licences (
    id             TEXT PRIMARY KEY,
    application_id TEXT NOT NULL,
    holder         TEXT NOT NULL,
    kind           TEXT NOT NULL, -- of the application that it was issued for
    state          TEXT NOT NULL,
    facts          TEXT NOT NULL,
    status         TEXT NOT NULL,
    key_id         TEXT NOT NULL,
    wrapped_key    BLOB,
    ciphertext     BLOB,
    issued_at      TEXT NOT NULL,
    erased_at      TEXT
);
CREATE UNIQUE INDEX licences_one_current_per_holder ON licences (holder) WHERE state = 'current';
CREATE INDEX licences_of_holder ON licences (holder, kind, issued_at);
