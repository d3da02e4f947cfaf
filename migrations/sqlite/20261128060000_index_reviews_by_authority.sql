-- What is offered and listed to somebody of one authority, and what a supervisor gave to somebody.
CREATE INDEX reviews_to_claim_of ON reviews (authority, priority DESC, coalesce(due_at, '~'), id)
    WHERE state = 'open' AND NOT supervisor_only;
CREATE INDEX reviews_of_authority ON reviews (authority, coalesce(due_at, '~'), id);
CREATE INDEX reviews_of_authority_in_state ON reviews (authority, state, coalesce(due_at, '~'), id);
CREATE INDEX reviews_assigned ON reviews (document ->> '$.assigned_to') WHERE state = 'open';
