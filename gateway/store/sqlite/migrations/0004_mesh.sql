-- Whether the recipient of what was delivered to a mailbox has collected it, as MESH tells when it is asked.
ALTER TABLE deliveries ADD COLUMN collected_ms INTEGER;
ALTER TABLE deliveries ADD COLUMN asked_ms INTEGER NOT NULL DEFAULT 0;
CREATE INDEX deliveries_uncollected ON deliveries (ended_ms)
    WHERE channel = 'mesh' AND state = 'delivered' AND collected_ms IS NULL;

ALTER TABLE mesh_inbox ADD COLUMN mailbox TEXT NOT NULL DEFAULT '';   -- which of the own ones
ALTER TABLE mesh_inbox ADD COLUMN released_ms INTEGER;                -- when an operator let it out of quarantine
CREATE INDEX mesh_inbox_quarantine ON mesh_inbox (received_ms) WHERE disposition = 'quarantine';
