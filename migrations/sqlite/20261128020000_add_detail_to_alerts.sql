-- An alert can be about no application, such as one about a provider, and say what its kind does not.
CREATE TABLE alerts_with_detail (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    kind           TEXT NOT NULL,
    application_id TEXT,
    at             TEXT NOT NULL,
    mailed_at      TEXT,
    detail         TEXT
);
INSERT INTO alerts_with_detail (id, kind, application_id, at, mailed_at)
    SELECT id, kind, application_id, at, mailed_at FROM alerts;
DROP TABLE alerts;
ALTER TABLE alerts_with_detail RENAME TO alerts;
CREATE INDEX alerts_to_mail ON alerts (id) WHERE mailed_at IS NULL;
