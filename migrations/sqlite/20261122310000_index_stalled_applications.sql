-- Lists of stalled applications by stage and error, however many are stalled at another stage.
CREATE INDEX applications_stalled ON applications (stage, error_code, id) WHERE needs_operator;
