-- On PostgreSQL only: here a row is changed where it stands.
SELECT 1;
