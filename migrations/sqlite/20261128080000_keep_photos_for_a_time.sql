-- When retention looks at an uploaded photo again (never, where it is kept), and since when it is to be erased.
ALTER TABLE photos ADD COLUMN check_at TEXT;
ALTER TABLE photos ADD COLUMN condemned_at TEXT;
UPDATE photos SET check_at = created_at WHERE source IN ('camera', 'album');
CREATE INDEX photos_to_check ON photos (check_at) WHERE check_at IS NOT NULL;
