-- Why a licence's card cannot be drawn, for the operators' list; none while it can, or nobody knows.
ALTER TABLE licences ADD COLUMN card_problem text;
CREATE INDEX licences_without_card ON licences (id) WHERE card_problem IS NOT NULL;
