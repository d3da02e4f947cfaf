-- A row grows in its life and is updated two or three times within a second. With less room than that, every third
-- update had to go to another page, and then into every index too.
ALTER TABLE applications SET (fillfactor = 40);
