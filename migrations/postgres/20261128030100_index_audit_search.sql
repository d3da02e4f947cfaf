-- The audit log by actor and by type, however long it is. Greenlane's own steps are most of the log and are found soon by
-- time alone, as are the types that every application has; leaving them out, an application adds one entry to these indexes in
-- its usual life, not one for every event. A search says the conditions in the same words (`store::rows`).
CREATE INDEX events_of_people ON events (actor_id, at) WHERE actor_kind <> 'system';
CREATE INDEX events_of_rare_kinds ON events (kind, at)
    WHERE kind NOT IN ('submitted', 'stage_completed', 'deadline_set', 'issued', 'notification_sent', 'completed');
