-- The gateway's own subscriptions at other FHIR servers, by their URLs, and which of their events were taken in.
CREATE TABLE upstreams (
    reference   text    PRIMARY KEY,
    application text    NOT NULL,   -- whose server it is
    topic       text    NOT NULL,
    kind        text    NOT NULL,   -- the type of the last notification
    state       text    NOT NULL,   -- as the server says
    events      bigint  NOT NULL,   -- how many it has had
    complete    bigint  NOT NULL,   -- up to this number they are all here
    heard_ms    bigint  NOT NULL
);

-- Of the numbers above `complete`, those that are here.
CREATE TABLE upstream_numbers (
    reference text    NOT NULL,
    number    bigint  NOT NULL,
    PRIMARY KEY (reference, number)
);
