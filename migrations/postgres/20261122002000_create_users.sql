-- People who sign in, their sessions, and their failed tries.

CREATE TABLE users (
    name              text        PRIMARY KEY,
    password          text        NOT NULL, -- Argon2id, PHC text
    role              text        NOT NULL,
    authority         text,
    other_authorities boolean     NOT NULL,
    document          text, -- blind index of the person's own document number
    epoch             bigint      NOT NULL, -- sessions of an earlier one have ended
    created_at        timestamptz NOT NULL,
    disabled_at       timestamptz
);

CREATE TABLE sessions (
    id         text        PRIMARY KEY, -- SHA-256 of what the cookie carries
    data       text        NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE sign_in_tries (
    subject text        PRIMARY KEY,
    tries   bigint      NOT NULL,
    ends_at timestamptz NOT NULL
);
CREATE INDEX sign_in_tries_end ON sign_in_tries (ends_at);
