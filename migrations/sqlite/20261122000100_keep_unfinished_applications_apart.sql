-- Only PostgreSQL writes every index anew when one of them changes.
SELECT 1;
