-- On PostgreSQL only: here the index with more of the columns asked for is taken always.
SELECT 1;
