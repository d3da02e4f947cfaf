-- A plan that was made from a remembered state is written only if the application still has that revision.
ALTER TABLE applications ADD COLUMN revision bigint NOT NULL DEFAULT 0;

-- Ends a statement, and so everything that it wrote, whose rows were not all as they had to be.
CREATE FUNCTION refuse_outdated_plan() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a plan was made from a state that has changed' USING ERRCODE = 'serialization_failure';
END
$$;
