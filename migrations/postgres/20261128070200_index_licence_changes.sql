-- The operators' list of changes, without a look at anything else that happened.
CREATE INDEX events_of_licence_changes ON events (at) WHERE kind = 'licence_status_changed';
