-- Events whose ids are not to come twice, by a hash of the publisher's id: ids are random and long, and each that came in
-- changed a page of its own, that had room for a few dozen.
CREATE TABLE event_hashes (
    hash   INTEGER NOT NULL,
    row_id INTEGER NOT NULL,
    PRIMARY KEY (hash, row_id)
) WITHOUT ROWID;
INSERT INTO event_hashes SELECT hash_of(event_id), row_id FROM event_names;
DROP TABLE event_names;
