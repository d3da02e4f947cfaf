-- SQLite has neither roles nor partitions.
SELECT 1;
