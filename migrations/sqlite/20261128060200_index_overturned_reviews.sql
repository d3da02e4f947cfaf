-- How often a reviewer was overturned, without a look at anybody else's.
CREATE INDEX events_overturned ON events (data ->> '$.reviewer', at) WHERE kind = 'review_overturned';
