-- Due times of all undecided reviews, from the index alone.
CREATE INDEX reviews_undecided ON reviews (due_at, authority, state) WHERE state IN ('open', 'claimed');
