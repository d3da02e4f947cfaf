-- What happens to a licence after its issue: when the registry was asked, what it said, and who checked it.
ALTER TABLE licences ADD COLUMN asked_at TEXT;
ALTER TABLE licences ADD COLUMN seen_at TEXT;
ALTER TABLE licences ADD COLUMN seen_status TEXT;
CREATE INDEX licences_to_check ON licences (coalesce(asked_at, issued_at)) WHERE state = 'current';

CREATE TABLE verifications (
    id         TEXT PRIMARY KEY,
    licence_id TEXT NOT NULL,
    at         TEXT NOT NULL,
    key        TEXT NOT NULL,
    verifier   TEXT NOT NULL,
    purpose    TEXT NOT NULL,
    refused    TEXT,
    nonce      BLOB UNIQUE -- of the presentation that this check used up
);
CREATE INDEX verifications_of_licence ON verifications (licence_id, id);
CREATE TRIGGER verifications_append_only BEFORE UPDATE ON verifications
BEGIN SELECT RAISE(ABORT, 'verifications are append-only'); END;
