-- Deliveries that were made, apart from the outbox, which stays small: an application's page shows them for a time.
CREATE TABLE delivered_webhooks (
    id             uuid        PRIMARY KEY,
    application_id uuid        NOT NULL,
    url            text        NOT NULL,
    attempts       integer     NOT NULL,
    status         integer     NOT NULL,
    created_at     timestamptz NOT NULL,
    delivered_at   timestamptz NOT NULL
);
CREATE INDEX delivered_webhooks_of_application ON delivered_webhooks (application_id, id);
CREATE INDEX delivered_webhooks_by_age ON delivered_webhooks (delivered_at);
