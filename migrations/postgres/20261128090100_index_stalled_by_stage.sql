-- On SQLite only: here an index on columns that change at every commit would cost more than it saves.
SELECT 1;
