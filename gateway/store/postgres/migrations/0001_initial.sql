-- Every id of events and deliveries is given by the gateway and grows with time (gateway/ids.py), so rows are appended,
-- and a range of ids is a range of time: the four large tables are partitioned by it, a partition for each day, which
-- gateway/store/postgres/partitions.py makes. The default partitions are empty unless a clock is wrong by days.
-- Times are milliseconds since 1970, UTC; those that decide anything (next_ms, until_ms) are of the database's clock.

CREATE FUNCTION clock_ms() RETURNS bigint LANGUAGE sql VOLATILE PARALLEL SAFE
    AS $$ SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint $$;

CREATE TABLE events (
    id          bigint NOT NULL PRIMARY KEY,
    received_ms bigint NOT NULL,
    face        text   NOT NULL,
    application text   NOT NULL,
    event_id    text   NOT NULL,    -- the publisher's own id; a publisher may repeat it
    source      text   NOT NULL,
    type        text   NOT NULL,
    time        text   NOT NULL,
    subject     text,
    dataref     text,
    versionid   text,
    filtering   text   NOT NULL,    -- JSON object
    warnings    text   NOT NULL     -- JSON array
) PARTITION BY RANGE (id);
CREATE TABLE events_default PARTITION OF events DEFAULT;

-- Apart from events, so that looking through events does not read the bodies. EXTERNAL: to compress them costs more
-- time than it saves.
CREATE TABLE originals (
    event_id   bigint NOT NULL PRIMARY KEY,
    form       text   NOT NULL,
    media_type text   NOT NULL,
    body       bytea  NOT NULL
) PARTITION BY RANGE (event_id);
ALTER TABLE originals ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE TABLE originals_default PARTITION OF originals DEFAULT;

CREATE TABLE deliveries (
    id            bigint  NOT NULL PRIMARY KEY,
    event_id      bigint  NOT NULL,
    channel       text    NOT NULL,
    endpoint      text    NOT NULL,
    form          text    NOT NULL,
    subscriptions text    NOT NULL, -- JSON array of subscription ids
    workflow      text    NOT NULL,
    partner_id    text    NOT NULL,
    state         text    NOT NULL CHECK (state IN ('pending', 'sending', 'delivered', 'dead', 'held')),
    attempts      integer NOT NULL DEFAULT 0,
    uncertain     boolean NOT NULL DEFAULT false,   -- an earlier attempt may have arrived
    claim         integer NOT NULL DEFAULT 0,       -- the number of its present lease; the first is 0
    next_ms       bigint  NOT NULL,                 -- pending: when it is due; sending: when its lease ends
    remote_id     text    NOT NULL DEFAULT '',      -- the MESH message id
    ended_ms      bigint,
    number        bigint  NOT NULL DEFAULT 0,       -- of its event in its subscription; 0: none
    collected_ms  bigint,                           -- when MESH said that the recipient has it
    asked_ms      bigint  NOT NULL DEFAULT 0,       -- when MESH was last asked for that
    -- Deliveries of one endpoint that have the same order_key leave in the order of their ids; '' = in no order. A held
    -- one waits for its endpoint or, if it is blocked, for the delivery before it.
    order_key     text    NOT NULL DEFAULT '',
    blocked       boolean NOT NULL DEFAULT false,
    replays       integer NOT NULL DEFAULT 0,       -- how often an operator sent it again
    discarded_ms  bigint                            -- when an operator gave it up
) PARTITION BY RANGE (id);
CREATE TABLE deliveries_default PARTITION OF deliveries DEFAULT;
CREATE INDEX deliveries_by_event ON deliveries (event_id);
CREATE INDEX deliveries_due ON deliveries (next_ms) WHERE state IN ('pending', 'sending');
CREATE INDEX deliveries_by_remote_id ON deliveries (remote_id) WHERE remote_id <> '';
CREATE INDEX deliveries_by_number ON deliveries (subscriptions, number) WHERE number > 0;
CREATE INDEX deliveries_uncollected ON deliveries (ended_ms)
    WHERE channel = 'mesh' AND state = 'delivered' AND collected_ms IS NULL;
CREATE INDEX deliveries_held ON deliveries (endpoint, id) WHERE state = 'held' AND NOT blocked;
CREATE INDEX deliveries_in_order ON deliveries (endpoint, order_key, id)
    WHERE order_key <> '' AND state IN ('pending', 'sending', 'held');
CREATE INDEX deliveries_dead ON deliveries (id) WHERE state = 'dead';

CREATE TABLE attempts (
    delivery_id bigint  NOT NULL,
    number      integer NOT NULL,
    started_ms  bigint  NOT NULL,
    duration_ms bigint  NOT NULL,
    outcome     text    NOT NULL,
    status      integer,
    detail      text    NOT NULL,
    answer      text    NOT NULL DEFAULT '',    -- the start of what the other side said
    PRIMARY KEY (delivery_id, number)
) PARTITION BY RANGE (delivery_id);
CREATE TABLE attempts_default PARTITION OF attempts DEFAULT;

-- The names of events that are kept once (CloudEvents 1.0: source and id together name an event), for each publisher.
CREATE TABLE event_names (
    event_id    text   NOT NULL,
    source      text   NOT NULL,
    application text   NOT NULL,
    row_id      bigint NOT NULL,
    PRIMARY KEY (event_id, source, application)
);

CREATE TABLE subscriptions (
    id                text    PRIMARY KEY,
    application       text    NOT NULL,
    face              text    NOT NULL,
    event_types       text    NOT NULL,     -- JSON array
    subject           text,
    channel           text    NOT NULL,
    endpoint          text    NOT NULL,
    form              text    NOT NULL,
    created_ms        bigint  NOT NULL,
    tag               text    NOT NULL,
    private           text    NOT NULL,     -- JSON of headers and signing secrets, sealed when there is a key
    end_ms            bigint,
    workflow          text    NOT NULL,
    state             text    NOT NULL CHECK (state IN ('requested', 'active', 'error', 'off')),
    reason            text    NOT NULL,     -- why it is in that state
    payload           text    NOT NULL,     -- the media type asked for
    timeout_seconds   integer,
    heartbeat_seconds integer,
    unproven          boolean NOT NULL,     -- its endpoint was never active
    ordering          text    NOT NULL CHECK (ordering IN ('none', 'per-subject')),
    retry_seconds     text    NOT NULL,     -- JSON array; [] = its channel's
    filter            text    NOT NULL,     -- the criterion besides type and subject
    heartbeat_ms      bigint,               -- when the next heartbeat is due
    deleted_ms        bigint,               -- kept, so that the trace of an old event still says whom it was for
    revision          bigint  NOT NULL      -- that of its last change
);
CREATE INDEX subscriptions_by_heartbeat ON subscriptions (heartbeat_ms) WHERE heartbeat_ms IS NOT NULL;
CREATE INDEX subscriptions_by_revision ON subscriptions (revision);

-- What a subscription was created with. Apart: the index of up to a million subscriptions is loaded without reading past
-- it.
CREATE TABLE subscription_resources (
    subscription_id text  PRIMARY KEY,
    criteria        text  NOT NULL,
    body            bytea NOT NULL,
    media_type      text  NOT NULL
);

-- One row, counted up by every change of a subscription: by it a node knows whether its index is of today. The lock on
-- the row lasts until the change is committed, so the changes up to a revision are all there to be read.
CREATE TABLE subscription_revision (
    only_one boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (only_one),
    revision bigint  NOT NULL
);
INSERT INTO subscription_revision (revision) VALUES (1);

CREATE FUNCTION subscription_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE subscription_revision SET revision = revision + 1 RETURNING revision INTO NEW.revision;
    PERFORM pg_notify('subscriptions', NEW.revision::text);
    RETURN NEW;
END $$;
CREATE TRIGGER subscription_added BEFORE INSERT ON subscriptions
    FOR EACH ROW EXECUTE FUNCTION subscription_changed();
-- Each change but that of heartbeat_ms, which concerns no index, sets one of these.
CREATE TRIGGER subscription_changed BEFORE UPDATE OF state, private, deleted_ms ON subscriptions
    FOR EACH ROW EXECUTE FUNCTION subscription_changed();

-- How many events each subscription has had, where its form numbers them. Apart: it changes with every event.
CREATE TABLE event_counts (
    subscription_id text   PRIMARY KEY,
    events          bigint NOT NULL
);

-- What was taken from the gateway's own mailboxes: MESH repeats a message until it is acknowledged.
CREATE TABLE mesh_inbox (
    message_id  text   PRIMARY KEY,
    received_ms bigint NOT NULL,
    disposition text   NOT NULL CHECK (disposition IN ('event', 'report', 'quarantine')),
    event_id    bigint,
    reason      text   NOT NULL,
    headers     text   NOT NULL,
    body        bytea,
    mailbox     text   NOT NULL,            -- which of the own ones
    released_ms bigint                      -- when an operator let it out of quarantine
);
CREATE INDEX mesh_inbox_quarantine ON mesh_inbox (received_ms) WHERE disposition = 'quarantine';

-- Endpoints that are failing; one that is well has no row.
CREATE TABLE endpoints (
    endpoint   text   PRIMARY KEY,
    failing_ms bigint NOT NULL,     -- since when
    probes     integer NOT NULL,    -- how many have failed
    probe_ms   bigint NOT NULL,     -- when the next may be made
    reason     text   NOT NULL
);

-- Which node does what one of them has to do, and until when.
CREATE TABLE turns (
    job      text   PRIMARY KEY,
    node     bigint NOT NULL,
    until_ms bigint NOT NULL
);

-- What stays of erased events: there is one line for each of two years, so hundreds share a row, and its overhead.
CREATE TABLE audit_kinds (
    kind        integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    type        text NOT NULL,
    source      text NOT NULL,
    face        text NOT NULL,
    application text NOT NULL,
    UNIQUE (type, source, face, application)
);
CREATE TABLE audit (
    first     bigint     NOT NULL,          -- the least and the greatest of the ids
    last      bigint     NOT NULL,
    kind      integer    NOT NULL,
    ids       bigint[]   NOT NULL,          -- of events, in order; the other arrays are in the same
    delivered smallint[] NOT NULL,          -- 32767 is that many or more
    dead      smallint[] NOT NULL,
    uuids     uuid[]     NOT NULL,          -- the publisher's own ids, where they are such,
    names     text[]                        -- and where they are not; NULL when all are
);
CREATE INDEX audit_by_id ON audit USING brin (first, last) WITH (pages_per_range = 4);
CREATE INDEX mesh_inbox_by_time ON mesh_inbox (received_ms);
CREATE INDEX subscriptions_deleted ON subscriptions (deleted_ms) WHERE deleted_ms IS NOT NULL;

-- What may be used one time only, such as the id of a signed assertion.
CREATE TABLE used (
    name     text   PRIMARY KEY,
    until_ms bigint NOT NULL        -- from then on it is worth nothing anyway
);
CREATE INDEX used_by_end ON used (until_ms);

-- What every node signs with.
CREATE TABLE secrets (
    name  text  PRIMARY KEY,
    value bytea NOT NULL
);

-- One row: the store's own number, part of every id the gateway gives to the outside.
CREATE TABLE instance (
    only_one   boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (only_one),
    number     bigint  NOT NULL,
    checked_ms bigint  NOT NULL     -- written to find out whether the database takes writes
);
