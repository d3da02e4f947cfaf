-- An alert can be about no application, such as one about a provider, and say what its kind does not.
ALTER TABLE alerts ALTER COLUMN application_id DROP NOT NULL, ADD COLUMN detail text;
