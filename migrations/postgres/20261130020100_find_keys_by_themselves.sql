-- Keys come first, so that a key is found by itself: of an owner and a key the planner may take the owner, who has millions.
DROP INDEX applications_key;
CREATE UNIQUE INDEX applications_key ON applications (idempotency_key, owner);
