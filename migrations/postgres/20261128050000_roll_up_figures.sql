-- Figures by the quarter of an hour: what charts of a day and of a fortnight read.
CREATE TABLE figure_quarters (
    series  text   NOT NULL,
    minute  bigint NOT NULL, -- the first one, a multiple of 15
    sum     bigint NOT NULL,
    most    bigint NOT NULL,
    minutes bigint NOT NULL,
    PRIMARY KEY (series, minute)
);
CREATE INDEX figure_quarters_by_age ON figure_quarters (minute);

INSERT INTO figure_quarters (series, minute, sum, most, minutes)
SELECT series, minute / 15 * 15, sum(value), max(value), count(*) FROM figures GROUP BY series, minute / 15;
