-- Figures of the dashboard's charts: one row for each series and minute (minutes since 1970-01-01T00:00Z).
CREATE TABLE figures (
    series TEXT    NOT NULL,
    minute INTEGER NOT NULL,
    value  INTEGER NOT NULL,
    PRIMARY KEY (series, minute)
) WITHOUT ROWID;
CREATE INDEX figures_by_age ON figures (minute);

CREATE INDEX webhooks_dead_of_application ON webhooks (application_id) WHERE dead;
