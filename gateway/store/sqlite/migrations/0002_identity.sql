-- The names of events that are kept once (CloudEvents 1.0: source and id together name an event), for each publisher.
CREATE TABLE event_names (
    event_id    TEXT    NOT NULL,   -- the publisher's own id
    source      TEXT    NOT NULL,
    application TEXT    NOT NULL,
    row_id      INTEGER NOT NULL,
    PRIMARY KEY (event_id, source, application)
) WITHOUT ROWID;

-- What may be used one time only, such as the id of a signed assertion.
CREATE TABLE used (
    name     TEXT    PRIMARY KEY,
    until_ms INTEGER NOT NULL      -- from then on it is worth nothing anyway
) WITHOUT ROWID;
CREATE INDEX used_by_end ON used (until_ms);

-- What every node signs with.
CREATE TABLE secrets (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

ALTER TABLE subscriptions ADD COLUMN workflow TEXT NOT NULL DEFAULT '';
