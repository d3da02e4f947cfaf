-- A reviewer's own figures, without a look at anybody else's events.
CREATE INDEX events_of_reviewers ON events (kind, actor_id, at) WHERE actor_kind = 'reviewer';
