-- Every id of events and deliveries is given by the gateway and grows with time (gateway/ids.py), so rows are appended.
-- Times are milliseconds since 1970, UTC.

CREATE TABLE events (
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
    warnings    TEXT    NOT NULL    -- JSON array
);

-- Apart from events, so that looking through events does not read the bodies.
CREATE TABLE originals (
    event_id   INTEGER PRIMARY KEY REFERENCES events (id),
    form       TEXT NOT NULL,
    media_type TEXT NOT NULL,
    body       BLOB NOT NULL
);

CREATE TABLE subscriptions (
    id          TEXT    PRIMARY KEY,
    application TEXT    NOT NULL,
    face        TEXT    NOT NULL,
    event_types TEXT    NOT NULL,   -- JSON array
    subject     TEXT,
    channel     TEXT    NOT NULL,
    endpoint    TEXT    NOT NULL,
    form        TEXT    NOT NULL,
    criteria    TEXT    NOT NULL,
    resource    BLOB    NOT NULL,
    media_type  TEXT    NOT NULL,
    created_ms  INTEGER NOT NULL,
    tag         TEXT    NOT NULL,
    headers     TEXT    NOT NULL,   -- JSON array of pairs
    end_ms      INTEGER,
    deleted_ms  INTEGER             -- kept, so that the trace of an old event still says whom it was for
) WITHOUT ROWID;

CREATE TABLE deliveries (
    id            INTEGER PRIMARY KEY,
    event_id      INTEGER NOT NULL REFERENCES events (id),
    channel       TEXT    NOT NULL,
    endpoint      TEXT    NOT NULL,
    form          TEXT    NOT NULL,
    subscriptions TEXT    NOT NULL, -- JSON array of subscription ids
    workflow      TEXT    NOT NULL,
    partner_id    TEXT    NOT NULL,
    state         TEXT    NOT NULL CHECK (state IN ('pending', 'sending', 'delivered', 'dead', 'held')),
    attempts      INTEGER NOT NULL DEFAULT 0,
    uncertain     INTEGER NOT NULL DEFAULT 0,   -- an earlier attempt may have arrived
    claim         INTEGER NOT NULL DEFAULT 0,   -- the number of its present lease; the first is 0
    next_ms       INTEGER NOT NULL,             -- pending: when it is due; sending: when its lease ends
    remote_id     TEXT    NOT NULL DEFAULT '',  -- the MESH message id
    ended_ms      INTEGER
);
CREATE INDEX deliveries_by_event ON deliveries (event_id);
CREATE INDEX deliveries_due ON deliveries (next_ms) WHERE state IN ('pending', 'sending');
CREATE INDEX deliveries_by_remote_id ON deliveries (remote_id) WHERE remote_id <> '';

CREATE TABLE attempts (
    delivery_id INTEGER NOT NULL REFERENCES deliveries (id),
    number      INTEGER NOT NULL,
    started_ms  INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    outcome     TEXT    NOT NULL,
    status      INTEGER,
    detail      TEXT    NOT NULL,
    PRIMARY KEY (delivery_id, number)
) WITHOUT ROWID;

-- What was taken from the gateway's own mailbox: MESH repeats a message until it is acknowledged.
CREATE TABLE mesh_inbox (
    message_id  TEXT    PRIMARY KEY,
    received_ms INTEGER NOT NULL,
    disposition TEXT    NOT NULL CHECK (disposition IN ('event', 'report', 'quarantine')),
    event_id    INTEGER,
    reason      TEXT    NOT NULL DEFAULT '',
    headers     TEXT    NOT NULL DEFAULT '{}',
    body        BLOB
) WITHOUT ROWID;

-- One row: the store's own number, part of every id the gateway gives to the outside.
CREATE TABLE instance (
    number     INTEGER NOT NULL,
    checked_ms INTEGER NOT NULL     -- written to find out whether the disk takes writes
);
