-- Where the face is, as JSON in pixels; null where nobody looked.
ALTER TABLE photos ADD COLUMN face text;
