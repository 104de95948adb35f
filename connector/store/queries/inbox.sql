-- inbox_put (sqlite) --
-- Append a delivery; a redelivery changes nothing. The parameters' order is the row tuple of inbox.put_many.
INSERT INTO inbox (shop_id, platform, topic, dedup_key, received_at, quarantine, headers, encoding, body)
VALUES (:shop_id, :platform, :topic, :dedup_key, :received_at, :quarantine, :headers, :encoding, :body)
ON CONFLICT (shop_id, topic, dedup_key) DO NOTHING

-- inbox_put (postgres) --
-- Ids may commit out of order here, so no cursor can be trusted: the place in the queue is written with the delivery.
-- A new delivery is due whatever the clock says: one received while it was a year ahead must not wait for a year.
WITH put AS (
  INSERT INTO inbox (shop_id, platform, topic, dedup_key, received_at, quarantine, headers, encoding, body)
  VALUES (:shop_id, :platform, :topic, :dedup_key, :received_at, :quarantine, :headers, :encoding, :body)
  ON CONFLICT (shop_id, topic, dedup_key) DO NOTHING
  RETURNING shop_id, id, quarantine
)
INSERT INTO delivery_progress (shop_id, delivery_id, status, attempts, due_at)
SELECT shop_id, id, CASE WHEN quarantine = '' THEN 'new' ELSE 'quarantined' END, 0, '1970-01-01T00:00:00.000000Z' FROM put

-- inbox_heads --
-- What came after an id, without the bodies.
SELECT id, shop_id, quarantine, received_at FROM inbox WHERE id > :after_id ORDER BY id LIMIT :limit

-- inbox_newcomer (sqlite) --
-- Whether a shop that is not in a JSON list is among what came after an id.
SELECT 1 AS come FROM (SELECT shop_id, quarantine FROM inbox WHERE id > :after_id ORDER BY id LIMIT :limit) late
WHERE quarantine = '' AND shop_id NOT IN (SELECT value FROM json_each(:known)) LIMIT 1

-- inbox_after --
-- What came after an id.
SELECT id, shop_id, platform, topic, dedup_key, received_at, quarantine, headers, encoding, body
FROM inbox WHERE id > :after_id ORDER BY id LIMIT :limit

-- inbox_by_ids --
-- Deliveries by a JSON list of ids.
SELECT id, shop_id, platform, topic, dedup_key, received_at, quarantine, headers, encoding, body
FROM inbox WHERE id IN (SELECT CAST(value AS BIGINT) FROM {json_texts}(:ids)) ORDER BY id

-- inbox_last_id --
-- The newest id, 0 for an empty inbox.
SELECT COALESCE(MAX(id), 0) AS last_id FROM inbox

-- inbox_count --
-- How many deliveries are kept.
SELECT COUNT(*) AS total FROM inbox

-- inbox_count_after --
-- How many the worker has not read.
SELECT COUNT(*) AS total FROM inbox WHERE id > :after_id

-- inbox_align (sqlite) --
-- The next id is greater than any that was handed out before (an older copy of the file may have been restored).
INSERT INTO sqlite_sequence (name, seq)
SELECT 'inbox', :last_id
WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'inbox' AND seq >= :last_id)
