-- The program's role owns no table, so that it cannot change the log. What needs the owner, making the partitions of the
-- coming months, is done by this function in the owner's name, and only for whom the owner lets call it.
DO $$ BEGIN
    EXECUTE format('ALTER FUNCTION prepare_events_partitions(integer) SECURITY DEFINER SET search_path = %I, pg_temp',
        current_schema());
END $$;
REVOKE EXECUTE ON FUNCTION prepare_events_partitions(integer), protect_events_partition(regclass) FROM PUBLIC;
