-- Keys of one name are told apart by their id; none for a person who is signed in.
ALTER TABLE verifications ADD COLUMN key_id TEXT;
