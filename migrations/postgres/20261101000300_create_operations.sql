-- The webhook outbox, processes, and what operators keep.

CREATE TABLE webhooks (
    id             uuid        PRIMARY KEY,
    application_id uuid        NOT NULL,
    seq            bigint      GENERATED ALWAYS AS IDENTITY,
    url            text        NOT NULL,
    document       text        NOT NULL,
    attempts       integer     NOT NULL DEFAULT 0,
    due_at         timestamptz NOT NULL,
    held_until     timestamptz,
    dead           boolean     NOT NULL DEFAULT false,
    last_error     text,
    created_at     timestamptz NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX webhooks_due ON webhooks (due_at, seq) WHERE NOT dead;
CREATE UNIQUE INDEX webhooks_order ON webhooks (application_id, seq);
CREATE INDEX webhooks_dead ON webhooks (id) WHERE dead;

CREATE TABLE processes (
    lease       uuid        PRIMARY KEY,
    lease_until timestamptz NOT NULL,
    seen_at     timestamptz NOT NULL,
    document    text        NOT NULL
);

CREATE TABLE workflows (
    id        text        PRIMARY KEY,
    hash      text        NOT NULL,
    source    text        NOT NULL,
    pinned_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE calendars (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version     text        NOT NULL,
    source      text        NOT NULL,
    imported_at timestamptz NOT NULL
);

CREATE TABLE api_keys (
    id         text        PRIMARY KEY,
    digest     text        NOT NULL,
    name       text        NOT NULL,
    owner      text        NOT NULL,
    scopes     text[]      NOT NULL,
    created_at timestamptz NOT NULL,
    revoked_at timestamptz
);

CREATE TABLE pauses (
    stage  text        PRIMARY KEY,
    reason text        NOT NULL,
    actor  text        NOT NULL,
    since  timestamptz NOT NULL,
    until  timestamptz
);

CREATE TABLE alerts (
    id             bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind           text        NOT NULL,
    application_id uuid        NOT NULL,
    at             timestamptz NOT NULL,
    mailed_at      timestamptz
);
CREATE INDEX alerts_unmailed ON alerts (id) WHERE mailed_at IS NULL;

CREATE TABLE batches (
    id         uuid        PRIMARY KEY,
    actor_kind text        NOT NULL,
    actor_id   text        NOT NULL,
    created_at timestamptz NOT NULL,
    matched    bigint      NOT NULL
);

CREATE TABLE batch_items (
    batch_id       uuid NOT NULL REFERENCES batches (id),
    application_id uuid NOT NULL,
    result         text,
    PRIMARY KEY (batch_id, application_id)
);
CREATE INDEX batch_items_pending ON batch_items (batch_id, application_id) WHERE result IS NULL;
