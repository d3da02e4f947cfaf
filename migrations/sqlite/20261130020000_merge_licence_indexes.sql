-- One index instead of two over the same keys: a holder has one current licence, and former ones beside it.
DROP INDEX licences_one_current_per_holder;
DROP INDEX licences_of_holder;
CREATE UNIQUE INDEX licences_of_holder ON licences (holder, (CASE state WHEN 'current' THEN '' ELSE id END));
