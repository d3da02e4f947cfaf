-- When the service of a licence was ended: an application that was under way then does not bring it back.
ALTER TABLE licences ADD COLUMN terminated_at TEXT;
