-- The audit log: append-only, also against the program's own role.

CREATE TABLE events (
    application_id uuid        NOT NULL,
    seq            bigint      NOT NULL,
    at             timestamptz NOT NULL,
    kind           text        NOT NULL,
    actor_kind     text        NOT NULL,
    actor_id       text        NOT NULL,
    stage          text,
    data           text        NOT NULL,
    hash           text        NOT NULL,
    prev_hash      text        NOT NULL
) PARTITION BY RANGE (at);

-- Rows come in the order of `at`, so that a summary of page ranges finds a span of time at next to no cost.
CREATE INDEX events_at ON events USING brin (at) WITH (pages_per_range = 32, autosummarize = on);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'table % is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;

-- A row trigger of the partitioned table is one of every partition, present and future.
CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE ON events
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER events_no_truncate BEFORE TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
REVOKE UPDATE, DELETE, TRUNCATE ON events FROM PUBLIC, CURRENT_USER;

-- What a partition does not inherit. A key of the whole table would have to contain `at`, and so would not be one.
CREATE FUNCTION protect_events_partition(partition regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ADD PRIMARY KEY (application_id, seq)', partition);
    EXECUTE format('CREATE TRIGGER events_no_truncate BEFORE TRUNCATE ON %s
                    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', partition);
    EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON %s FROM PUBLIC, CURRENT_USER', partition);
END
$$;

-- Takes what no month's partition does, so that a missed preparation loses nothing.
CREATE TABLE events_default PARTITION OF events DEFAULT;
SELECT protect_events_partition('events_default');

-- Creates the partitions of this month and of the next `ahead` ones. A month of which the default partition has rows
-- already stays there: moving them would need the very right that the table refuses.
CREATE FUNCTION prepare_events_partitions(ahead integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    first timestamptz;
    name  text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('prepare_events_partitions'));
    FOR month IN 0..ahead LOOP
        first := (date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => month)) AT TIME ZONE 'UTC';
        name := 'events_' || to_char(first AT TIME ZONE 'UTC', 'YYYY_MM');
        CONTINUE WHEN to_regclass(name) IS NOT NULL;
        BEGIN
            EXECUTE format('CREATE TABLE %I PARTITION OF events FOR VALUES FROM (%L) TO (%L)', name, first,
                ((first AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC');
            PERFORM protect_events_partition(name::regclass);
        EXCEPTION WHEN check_violation THEN
            RAISE WARNING 'the default partition of events has rows of % already', name;
        END;
    END LOOP;
END
$$;
SELECT prepare_events_partitions(2);

-- Signed checkpoints over the chains.
CREATE TABLE checkpoints (
    id       bigint      PRIMARY KEY,
    until    timestamptz NOT NULL,
    document text        NOT NULL
);
CREATE TRIGGER checkpoints_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
REVOKE UPDATE, DELETE, TRUNCATE ON checkpoints FROM PUBLIC, CURRENT_USER;

-- What operators did that belongs to no application.
CREATE TABLE operator_actions (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL,
    actor_kind text        NOT NULL,
    actor_id   text        NOT NULL,
    kind       text        NOT NULL,
    data       text        NOT NULL
);
CREATE TRIGGER operator_actions_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON operator_actions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
REVOKE UPDATE, DELETE, TRUNCATE ON operator_actions FROM PUBLIC, CURRENT_USER;
