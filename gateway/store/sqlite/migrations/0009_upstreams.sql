-- The gateway's own subscriptions at other FHIR servers, by their URLs, and which of their events were taken in.
CREATE TABLE upstreams (
    reference   TEXT    PRIMARY KEY,
    application TEXT    NOT NULL,   -- whose server it is
    topic       TEXT    NOT NULL,
    kind        TEXT    NOT NULL,   -- the type of the last notification
    state       TEXT    NOT NULL,   -- as the server says
    events      INTEGER NOT NULL,   -- how many it has had
    complete    INTEGER NOT NULL,   -- up to this number they are all here
    heard_ms    INTEGER NOT NULL
) WITHOUT ROWID;

-- Of the numbers above `complete`, those that are here.
CREATE TABLE upstream_numbers (
    reference TEXT    NOT NULL,
    number    INTEGER NOT NULL,
    PRIMARY KEY (reference, number)
) WITHOUT ROWID;
