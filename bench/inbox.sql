-- The inbox every system under test writes: the floor and the stock stack do the same job as ours, row by row.
-- Same columns as connector/store/migrations/inbox/0001_inbox.sql (tests/bench holds that). Parameters are bound by name.

-- name: schema
CREATE TABLE IF NOT EXISTS inbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    shop_id TEXT NOT NULL,
    platform TEXT NOT NULL,
    topic TEXT NOT NULL,
    dedup_key TEXT NOT NULL,
    received_at TEXT NOT NULL,
    quarantine TEXT NOT NULL,
    headers TEXT NOT NULL,
    encoding INTEGER NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (shop_id, topic, dedup_key)
);

-- name: insert
INSERT INTO inbox (shop_id, platform, topic, dedup_key, received_at, quarantine, headers, encoding, body)
VALUES (:shop_id, 'shopify', :topic, :dedup_key, :received_at, '', :headers, :encoding, :body)
ON CONFLICT (shop_id, topic, dedup_key) DO NOTHING;

-- name: keys
SELECT dedup_key FROM inbox;
