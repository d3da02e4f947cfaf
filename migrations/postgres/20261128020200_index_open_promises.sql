-- Which open promise is due first: asked every few seconds, for the metrics.
ALTER TABLE deadlines ADD COLUMN due_at timestamptz;
UPDATE deadlines d SET due_at = a.due_at FROM applications a WHERE a.id = d.application_id;
CREATE INDEX deadlines_due ON deadlines (due_at);
