-- event_record --
-- Once per key: the same event under another delivery id changes nothing.
INSERT INTO events (shop_id, event_key, kind, subject_kind, subject_id, order_id, customer_id, at, recorded_at,
  delivery_id, data)
VALUES (:shop_id, :event_key, :kind, :subject_kind, :subject_id, :order_id, :customer_id, :at, :now,
  :delivery_id, :data)
ON CONFLICT (shop_id, event_key) DO NOTHING

-- event_known --
-- Which of a JSON list of keys were seen: a batch asks once.
SELECT event_key FROM events
WHERE shop_id = :shop_id AND event_key IN (SELECT value FROM {json_texts}(:keys))

-- event_has --
-- Whether it was seen.
SELECT 1 AS found FROM events WHERE shop_id = :shop_id AND event_key = :event_key

-- event_of_order --
-- An order's story.
SELECT kind, event_key, subject_kind, subject_id, at, recorded_at, delivery_id, data
FROM events WHERE shop_id = :shop_id AND order_id = :order_id ORDER BY at, recorded_at, event_key

-- event_latest_at --
-- When something last happened to an order.
SELECT MAX(at) AS at FROM events WHERE shop_id = :shop_id AND order_id = :order_id AND kind = :kind
