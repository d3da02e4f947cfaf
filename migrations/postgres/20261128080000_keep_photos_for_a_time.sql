-- When retention looks at a photo again (never, where it is kept), and since when it is to be erased.
-- The default gives every photo a first turn without a write to each of them, those of a process of the version before too.
ALTER TABLE photos ADD COLUMN check_at timestamptz DEFAULT now(), ADD COLUMN condemned_at timestamptz;
CREATE INDEX photos_to_check ON photos (check_at) WHERE check_at IS NOT NULL;
