-- Only what was given to somebody: with the rest in it, the index looked as if it found what was given to nobody.
DROP INDEX reviews_assigned;
CREATE INDEX reviews_assigned ON reviews (document ->> '$.assigned_to')
    WHERE state = 'open' AND document ->> '$.assigned_to' IS NOT NULL;
