-- The inbox every system under test writes: the floor and the stock stack do the same job as ours, row by row.
-- Parameters are bound by name; floor.c knows :dedup_key :topic :shop_domain :received_at :body and the constant :endpoint.

-- name: schema
CREATE TABLE IF NOT EXISTS inbox (
    id INTEGER PRIMARY KEY,
    endpoint TEXT NOT NULL,
    topic TEXT NOT NULL,
    dedup_key TEXT NOT NULL,
    shop_domain TEXT,
    received_at TEXT NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (endpoint, topic, dedup_key)
);

-- name: insert
INSERT OR IGNORE INTO inbox (endpoint, topic, dedup_key, shop_domain, received_at, body)
VALUES (:endpoint, :topic, :dedup_key, :shop_domain, :received_at, :body);

-- name: count
SELECT count(*) FROM inbox;

-- name: keys
SELECT dedup_key FROM inbox;
