-- An event with its original in one row, which is one insert and not two; large bodies PostgreSQL keeps apart anyway.
-- EXTERNAL: to compress them costs more time than it saves.
ALTER TABLE events ADD COLUMN form text, ADD COLUMN media_type text, ADD COLUMN body bytea;
ALTER TABLE events ALTER COLUMN body SET STORAGE EXTERNAL;
UPDATE events e SET form = o.form, media_type = o.media_type, body = o.body FROM originals o WHERE o.event_id = e.id;
ALTER TABLE events ALTER COLUMN form SET NOT NULL, ALTER COLUMN media_type SET NOT NULL, ALTER COLUMN body SET NOT NULL;
DROP TABLE originals;
