-- Due times of all undecided reviews, from the index alone.
CREATE INDEX reviews_undecided ON reviews (due_at, authority) WHERE state IN ('open', 'claimed');
