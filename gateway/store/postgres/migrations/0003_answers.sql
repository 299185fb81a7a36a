-- The acknowledgements of events, which are events themselves.
CREATE TABLE answers (
    event_id    bigint NOT NULL,   -- the event that is acknowledged
    answer_id   bigint NOT NULL,   -- the event that the acknowledgement became
    received_ms bigint NOT NULL,
    application text   NOT NULL,
    kind        text   NOT NULL,   -- technical or business
    code        text   NOT NULL,   -- ok, transient-error or fatal-error
    PRIMARY KEY (event_id, answer_id)
);
