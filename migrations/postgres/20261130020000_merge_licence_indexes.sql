-- One index instead of two over the same keys: a holder has one current licence, and former ones beside it.
DROP INDEX licences_current;
DROP INDEX licences_holder;
CREATE UNIQUE INDEX licences_holder ON licences
    (holder, (CASE state WHEN 'current' THEN '00000000-0000-0000-0000-000000000000'::uuid ELSE id END));
