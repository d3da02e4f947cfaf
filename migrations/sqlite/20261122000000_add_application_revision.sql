-- A plan that was made from a remembered state is written only if the application still has that revision.
ALTER TABLE applications ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
