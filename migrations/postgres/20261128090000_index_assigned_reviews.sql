-- Only what was given to somebody, which is little of what is open.
DROP INDEX reviews_assigned;
CREATE INDEX reviews_assigned ON reviews ((document::jsonb ->> 'assigned_to'))
    WHERE state = 'open' AND document::jsonb ->> 'assigned_to' IS NOT NULL;
