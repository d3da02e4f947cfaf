-- Figures of the dashboard's charts: one row for each series and minute (minutes since 1970-01-01T00:00Z).
CREATE TABLE figures (
    series text   NOT NULL,
    minute bigint NOT NULL,
    value  bigint NOT NULL,
    PRIMARY KEY (series, minute)
);
CREATE INDEX figures_by_age ON figures (minute);

CREATE INDEX webhooks_dead_of_application ON webhooks (application_id) WHERE dead;
