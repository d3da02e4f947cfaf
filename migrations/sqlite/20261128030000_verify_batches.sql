-- What a batch does to its applications and why; and what became of each, once that is final.
ALTER TABLE batches ADD COLUMN act TEXT NOT NULL DEFAULT 'retry';
ALTER TABLE batches ADD COLUMN reason TEXT;
ALTER TABLE batch_items ADD COLUMN stage TEXT;
ALTER TABLE batch_items ADD COLUMN verdict TEXT;
UPDATE batch_items SET verdict = 'refused' WHERE result <> 'retried';
CREATE INDEX batch_items_unverified ON batch_items (batch_id, application_id) WHERE result IS NOT NULL AND verdict IS NULL;
