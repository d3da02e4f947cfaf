CREATE INDEX reviews_escalated ON reviews (priority DESC, coalesce(due_at, '~'), id) WHERE state = 'open' AND supervisor_only;
