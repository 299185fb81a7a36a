-- An event with its original in one row, which is one insert and not two, but for large bodies: whoever looks through
-- events does not read those. The hash of the publisher's id is there too, where the event is kept once: of the newest
-- it is known from here.
CREATE TABLE whole_events (
    id          INTEGER PRIMARY KEY,
    received_ms INTEGER NOT NULL,
    face        TEXT    NOT NULL,
    application TEXT    NOT NULL,
    event_id    TEXT    NOT NULL,   -- the publisher's own id; a publisher may repeat it
    source      TEXT    NOT NULL,
    type        TEXT    NOT NULL,
    time        TEXT    NOT NULL,
    subject     TEXT,
    dataref     TEXT,
    versionid   TEXT,
    filtering   TEXT    NOT NULL,   -- JSON object
    warnings    TEXT    NOT NULL,   -- JSON array
    hash        INTEGER,            -- of event_id; NULL: the same may come again
    form        TEXT    NOT NULL,
    media_type  TEXT    NOT NULL,
    body        BLOB                -- NULL: in large_bodies
);
CREATE TABLE large_bodies (
    event_id INTEGER PRIMARY KEY REFERENCES events (id),
    body     BLOB NOT NULL
);
INSERT OR IGNORE INTO event_hashes SELECT hash, row_id FROM new_event_hashes;
DROP TABLE new_event_hashes;
INSERT INTO whole_events
    SELECT e.id, received_ms, face, application, e.event_id, source, type, time, subject, dataref, versionid, filtering,
        warnings, hash, form, media_type, CASE WHEN length(body) <= 2048 THEN body END
    FROM events e LEFT JOIN originals o ON o.event_id = e.id
        LEFT JOIN event_hashes h ON h.hash = hash_of(e.event_id) AND h.row_id = e.id
    ORDER BY e.id;
INSERT INTO large_bodies SELECT event_id, body FROM originals WHERE length(body) > 2048 ORDER BY event_id;
DROP TABLE originals;
DROP TABLE events;
ALTER TABLE whole_events RENAME TO events;

-- One row: of no event after that one is the hash in event_hashes, but of some before it that came late.
CREATE TABLE event_hashes_placed (
    row_id INTEGER NOT NULL
);
INSERT INTO event_hashes_placed SELECT COALESCE(MAX(id), 0) FROM events;
