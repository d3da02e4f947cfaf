-- Photo reviews and what reviewers tell each other.

CREATE TABLE reviews (
    id               uuid        PRIMARY KEY,
    application_id   uuid        NOT NULL,
    state            text        NOT NULL,
    authority        text,
    due_at           timestamptz NOT NULL, -- `infinity` when there is none
    priority         smallint    NOT NULL,
    supervisor_only  boolean     NOT NULL,
    reviewer         text,
    lease_expires_at timestamptz,
    takes_effect_at  timestamptz,
    photo_id         uuid        NOT NULL,
    document         text        NOT NULL
) WITH (fillfactor = 70);

CREATE INDEX reviews_listed ON reviews (due_at, id);
CREATE INDEX reviews_in_state ON reviews (state, due_at, id);
CREATE INDEX reviews_claimable ON reviews (priority DESC, due_at, id) WHERE state = 'open' AND NOT supervisor_only;
CREATE INDEX reviews_claimable_of ON reviews (authority, priority DESC, due_at, id)
    WHERE state = 'open' AND NOT supervisor_only;
CREATE INDEX reviews_reviewer ON reviews (reviewer) WHERE state = 'claimed';
CREATE INDEX reviews_lease ON reviews (lease_expires_at) WHERE state = 'claimed';
CREATE INDEX reviews_effect ON reviews (takes_effect_at) WHERE takes_effect_at IS NOT NULL;
CREATE INDEX reviews_photo ON reviews (photo_id);

CREATE TABLE review_notes (
    id             bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    application_id uuid        NOT NULL,
    review_id      uuid,
    at             timestamptz NOT NULL,
    key_id         text        NOT NULL,
    wrapped_key    bytea,
    ciphertext     bytea,
    erased_at      timestamptz
);
CREATE INDEX review_notes_application ON review_notes (application_id, id);
CREATE INDEX review_notes_key ON review_notes (key_id);
