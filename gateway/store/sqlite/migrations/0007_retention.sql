-- What stays of an erased event: a few bytes each, since there is one for every event of two years.
CREATE TABLE audit (
    id        INTEGER PRIMARY KEY,
    kind      INTEGER NOT NULL REFERENCES audit_kinds (kind),
    event_id  BLOB    NOT NULL,     -- the publisher's own id: the 16 bytes of a UUID, or else its text
    delivered INTEGER NOT NULL,
    dead      INTEGER NOT NULL
);
CREATE TABLE audit_kinds (
    kind        INTEGER PRIMARY KEY,
    type        TEXT NOT NULL,
    source      TEXT NOT NULL,
    face        TEXT NOT NULL,
    application TEXT NOT NULL,
    UNIQUE (type, source, face, application)
);

CREATE INDEX mesh_inbox_by_time ON mesh_inbox (received_ms);
CREATE INDEX subscriptions_deleted ON subscriptions (deleted_ms) WHERE deleted_ms IS NOT NULL;
