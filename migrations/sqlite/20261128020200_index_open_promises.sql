-- Which open promise is due first: asked every few seconds, for the metrics.
CREATE INDEX applications_due ON applications (due_at) WHERE calendar IS NOT NULL;
