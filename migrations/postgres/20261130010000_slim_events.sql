-- Every event is tried against every index. What is rare is found among the rare types.
DROP INDEX events_overturned;
DROP INDEX events_of_licence_changes;
