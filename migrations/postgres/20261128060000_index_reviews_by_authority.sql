-- What is listed to somebody of one authority, and what a supervisor gave to somebody.
CREATE INDEX reviews_of_authority ON reviews (authority, due_at, id);
CREATE INDEX reviews_of_authority_in_state ON reviews (authority, state, due_at, id);
CREATE INDEX reviews_assigned ON reviews ((document::jsonb ->> 'assigned_to')) WHERE state = 'open';
