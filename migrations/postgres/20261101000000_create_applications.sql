-- Applications, their jobs, and what finds them.
--
-- Every commit updates `applications`. So that such an update stays a heap-only one (no index is touched), no index of
-- it names a column that changes often, and pages keep room for the next version of a row. Measured: a third less CPU.

CREATE TABLE applications (
    id                uuid        PRIMARY KEY,
    owner             text        NOT NULL,
    idempotency_key   text        NOT NULL,
    request_hash      text        NOT NULL,
    holder            text        NOT NULL,
    kind              text        NOT NULL,
    workflow          text        NOT NULL,
    photo_id          uuid,
    upstream_ref      text,
    submitted_at      timestamptz NOT NULL,
    status            text        NOT NULL,
    stage             text        NOT NULL,
    open              boolean     NOT NULL,
    unfinished        boolean     NOT NULL,
    needs_operator    boolean     NOT NULL,
    error_code        text,
    authority         text,
    due_at            timestamptz,
    completed_at      timestamptz,
    document          text        NOT NULL
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

CREATE UNIQUE INDEX applications_key ON applications (owner, idempotency_key);
CREATE UNIQUE INDEX applications_open_holder ON applications (holder) WHERE open;
CREATE INDEX applications_holder ON applications (holder, id);
CREATE INDEX applications_owner ON applications (owner, id);
CREATE INDEX applications_upstream_ref ON applications (upstream_ref, id) WHERE upstream_ref IS NOT NULL;
CREATE INDEX applications_photo ON applications (photo_id, id) WHERE photo_id IS NOT NULL;
CREATE INDEX applications_unfinished ON applications (id) WHERE unfinished;
CREATE INDEX applications_needing_operator ON applications (id) WHERE needs_operator;

-- Promises of one working day that are still open. Apart from `applications`, for whose sake see above.
CREATE TABLE deadlines (
    application_id uuid     PRIMARY KEY,
    check_at       timestamptz,
    level          smallint NOT NULL,
    breached       boolean  NOT NULL,
    calendar       text     NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX deadlines_check ON deadlines (check_at) WHERE check_at IS NOT NULL;
CREATE INDEX deadlines_calendar ON deadlines (calendar);
CREATE INDEX deadlines_at_risk ON deadlines (breached) WHERE level > 0;

-- Personal data, encrypted. Erasing it keeps the row, so that it is known to have been there.
CREATE TABLE applicants (
    application_id uuid  PRIMARY KEY,
    key_id         text  NOT NULL,
    wrapped_key    bytea,
    ciphertext     bytea,
    erased_at      timestamptz,
    CHECK (erased_at IS NOT NULL OR (wrapped_key IS NOT NULL AND ciphertext IS NOT NULL))
);
ALTER TABLE applicants ALTER COLUMN ciphertext SET STORAGE EXTERNAL;
CREATE INDEX applicants_key ON applicants (key_id);

-- Work to do; a finished job leaves the table.
CREATE TABLE jobs (
    application_id uuid        NOT NULL,
    slot           text        NOT NULL,
    stage          text        NOT NULL,
    due_at         timestamptz NOT NULL,
    lease          uuid,
    fence          bigint      NOT NULL,
    attempts       integer     NOT NULL,
    crashes        integer     NOT NULL,
    priority       smallint    NOT NULL,
    -- The fence under which a suspect last ran alone in its process.
    alone_fence    bigint      NOT NULL DEFAULT 0,
    PRIMARY KEY (application_id, slot)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

CREATE INDEX jobs_claim ON jobs (stage, priority DESC, due_at) WHERE lease IS NULL;
CREATE INDEX jobs_suspect ON jobs (stage, due_at) WHERE lease IS NULL AND crashes >= 2;
CREATE INDEX jobs_lease ON jobs (lease) WHERE lease IS NOT NULL;

-- Applications by status and stage, in shards that concurrent commits do not wait for.
CREATE TABLE counters (
    shard  smallint NOT NULL,
    status text     NOT NULL,
    stage  text     NOT NULL,
    count  bigint   NOT NULL,
    PRIMARY KEY (shard, status, stage)
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);

CREATE TABLE photos (
    id         uuid        PRIMARY KEY,
    owner      text        NOT NULL,
    source     text        NOT NULL,
    width      integer     NOT NULL,
    height     integer     NOT NULL,
    sha256     text        NOT NULL,
    checks     text        NOT NULL,
    thresholds text        NOT NULL,
    blob       text        NOT NULL,
    created_at timestamptz NOT NULL,
    erased_at  timestamptz
);

CREATE TABLE licences (
    id             uuid        PRIMARY KEY,
    application_id uuid        NOT NULL,
    holder         text        NOT NULL,
    kind           text        NOT NULL,
    state          text        NOT NULL,
    status         text        NOT NULL,
    facts          text        NOT NULL,
    key_id         text        NOT NULL,
    wrapped_key    bytea,
    ciphertext     bytea,
    issued_at      timestamptz NOT NULL,
    erased_at      timestamptz
);
ALTER TABLE licences ALTER COLUMN ciphertext SET STORAGE EXTERNAL;
CREATE UNIQUE INDEX licences_current ON licences (holder) WHERE state = 'current';
CREATE INDEX licences_holder ON licences (holder, kind, issued_at DESC);
CREATE INDEX licences_key ON licences (key_id);
