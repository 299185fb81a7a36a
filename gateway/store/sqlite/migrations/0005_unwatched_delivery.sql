-- What its owner gave us in confidence, headers and signing secrets, is JSON, sealed when there is a key
-- (gateway/sealing.py); and a subscription has ways of its own to be served.
ALTER TABLE subscriptions RENAME COLUMN headers TO private;
UPDATE subscriptions SET private = '{"headers":' || private || '}';
ALTER TABLE subscriptions ADD COLUMN ordering TEXT NOT NULL DEFAULT 'none' CHECK (ordering IN ('none', 'per-subject'));
ALTER TABLE subscriptions ADD COLUMN retry_seconds TEXT NOT NULL DEFAULT '[]';  -- JSON array; [] = its channel's

-- order_key: deliveries of one endpoint that have the same leave in the order of their ids; '' = in no order.
-- held: waits for its endpoint or, if it is blocked, for the delivery before it.
ALTER TABLE deliveries ADD COLUMN order_key TEXT NOT NULL DEFAULT '';
ALTER TABLE deliveries ADD COLUMN blocked INTEGER NOT NULL DEFAULT 0;
ALTER TABLE deliveries ADD COLUMN replays INTEGER NOT NULL DEFAULT 0;           -- how often an operator sent it again
ALTER TABLE deliveries ADD COLUMN discarded_ms INTEGER;                         -- when an operator gave it up
CREATE INDEX deliveries_held ON deliveries (endpoint, id) WHERE state = 'held' AND blocked = 0;
CREATE INDEX deliveries_in_order ON deliveries (endpoint, order_key, id)
    WHERE order_key <> '' AND state IN ('pending', 'sending', 'held');
CREATE INDEX deliveries_dead ON deliveries (id) WHERE state = 'dead';

ALTER TABLE attempts ADD COLUMN answer TEXT NOT NULL DEFAULT '';                -- the start of what the other side said

-- Endpoints that are failing; one that is well has no row.
CREATE TABLE endpoints (
    endpoint   TEXT    PRIMARY KEY,
    failing_ms INTEGER NOT NULL,    -- since when
    probes     INTEGER NOT NULL,    -- how many have failed
    probe_ms   INTEGER NOT NULL,    -- when the next may be made
    reason     TEXT    NOT NULL
) WITHOUT ROWID;
