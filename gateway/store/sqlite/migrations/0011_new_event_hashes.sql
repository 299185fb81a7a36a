-- The newest of event_hashes, in the order they came: those go into that table sorted, many at a time, since each that
-- goes there alone changes a page of its own.
CREATE TABLE new_event_hashes (
    row_id INTEGER PRIMARY KEY,
    hash   INTEGER NOT NULL
);
