-- What the Subscriptions R5 Backport asks of a subscription: a state, and events that are numbered without a gap.

ALTER TABLE subscriptions ADD COLUMN state TEXT NOT NULL DEFAULT 'active'
    CHECK (state IN ('requested', 'active', 'error', 'off'));
ALTER TABLE subscriptions ADD COLUMN reason TEXT NOT NULL DEFAULT '';      -- why it is in that state
ALTER TABLE subscriptions ADD COLUMN payload TEXT NOT NULL DEFAULT '';     -- the media type asked for
ALTER TABLE subscriptions ADD COLUMN timeout_seconds INTEGER;
ALTER TABLE subscriptions ADD COLUMN heartbeat_seconds INTEGER;
ALTER TABLE subscriptions ADD COLUMN unproven INTEGER NOT NULL DEFAULT 0;  -- its endpoint was never active
ALTER TABLE subscriptions ADD COLUMN heartbeat_ms INTEGER;                 -- when the next heartbeat is due
CREATE INDEX subscriptions_by_heartbeat ON subscriptions (heartbeat_ms) WHERE heartbeat_ms IS NOT NULL;

CREATE INDEX subscriptions_requested ON subscriptions (id) WHERE state = 'requested' AND deleted_ms IS NULL;

-- Apart from subscriptions: it changes with every event.
CREATE TABLE event_counts (
    subscription_id TEXT    PRIMARY KEY,
    events          INTEGER NOT NULL
) WITHOUT ROWID;

ALTER TABLE deliveries ADD COLUMN number INTEGER NOT NULL DEFAULT 0;       -- of its event in its subscription; 0: none
CREATE INDEX deliveries_by_number ON deliveries (subscriptions, number) WHERE number > 0;
