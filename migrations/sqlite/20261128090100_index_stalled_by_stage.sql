-- Lists of what is stalled at a stage, newest first, whatever the error.
CREATE INDEX applications_stalled_at ON applications (stage, id) WHERE needs_operator;
