-- What a subscription was created with moves into a table of its own: the index of up to a million subscriptions is
-- loaded from the rest without reading past it.
CREATE TABLE subscription_resources (
    subscription_id TEXT PRIMARY KEY,
    criteria        TEXT NOT NULL,
    body            BLOB NOT NULL,
    media_type      TEXT NOT NULL
);
INSERT INTO subscription_resources SELECT id, criteria, resource, media_type FROM subscriptions;
ALTER TABLE subscriptions DROP COLUMN criteria;
ALTER TABLE subscriptions DROP COLUMN resource;
ALTER TABLE subscriptions DROP COLUMN media_type;

ALTER TABLE subscriptions ADD COLUMN filter TEXT NOT NULL DEFAULT '';      -- the criterion besides type and subject
