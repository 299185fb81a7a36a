-- The acknowledgements of events, which are events themselves.
CREATE TABLE answers (
    event_id    INTEGER NOT NULL,   -- the event that is acknowledged
    answer_id   INTEGER NOT NULL,   -- the event that the acknowledgement became
    received_ms INTEGER NOT NULL,
    application TEXT    NOT NULL,
    kind        TEXT    NOT NULL,   -- technical or business
    code        TEXT    NOT NULL,   -- ok, transient-error or fatal-error
    PRIMARY KEY (event_id, answer_id)
) WITHOUT ROWID;
