-- What happens to a licence after its issue: when the registry was asked, what it said, and who checked it.
ALTER TABLE licences ADD COLUMN asked_at timestamptz;
ALTER TABLE licences ADD COLUMN seen_at timestamptz;
ALTER TABLE licences ADD COLUMN seen_status text;
CREATE INDEX licences_to_check ON licences (coalesce(asked_at, issued_at)) WHERE state = 'current';

CREATE TABLE verifications (
    id         uuid        PRIMARY KEY,
    licence_id uuid        NOT NULL,
    at         timestamptz NOT NULL,
    key        text        NOT NULL,
    verifier   text        NOT NULL,
    purpose    text        NOT NULL,
    refused    text,
    nonce      bytea UNIQUE -- of the presentation that this check used up
);
CREATE INDEX verifications_of_licence ON verifications (licence_id, id);
CREATE TRIGGER verifications_append_only BEFORE UPDATE ON verifications FOR EACH ROW EXECUTE FUNCTION refuse_change();
