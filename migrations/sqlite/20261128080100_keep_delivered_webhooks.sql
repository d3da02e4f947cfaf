-- Deliveries that were made, apart from the outbox, which stays small: an application's page shows them for a time.
CREATE TABLE delivered_webhooks (
    seq            INTEGER PRIMARY KEY,
    id             TEXT NOT NULL,
    application_id TEXT NOT NULL,
    url            TEXT NOT NULL,
    attempts       INTEGER NOT NULL,
    status         INTEGER NOT NULL,
    created_at     TEXT NOT NULL,
    delivered_at   TEXT NOT NULL
);
CREATE INDEX delivered_webhooks_of_application ON delivered_webhooks (application_id, seq);
CREATE INDEX delivered_webhooks_by_age ON delivered_webhooks (delivered_at);
