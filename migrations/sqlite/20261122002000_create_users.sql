-- People who sign in, their sessions, and their failed tries.

CREATE TABLE users (
    name              TEXT PRIMARY KEY,
    password          TEXT NOT NULL, -- Argon2id, PHC text
    role              TEXT NOT NULL,
    authority         TEXT,
    other_authorities INTEGER NOT NULL,
    document          TEXT, -- blind index of the person's own document number
    epoch             INTEGER NOT NULL, -- sessions of an earlier one have ended
    created_at        TEXT NOT NULL,
    disabled_at       TEXT
);

CREATE TABLE sessions (
    id         TEXT PRIMARY KEY, -- SHA-256 of what the cookie carries
    data       TEXT NOT NULL,
    expires_at TEXT NOT NULL
);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE sign_in_tries (
    subject TEXT PRIMARY KEY,
    tries   INTEGER NOT NULL,
    ends_at TEXT NOT NULL
);
CREATE INDEX sign_in_tries_end ON sign_in_tries (ends_at);
