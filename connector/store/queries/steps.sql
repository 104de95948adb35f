-- field_put --
-- The newest value stays.
INSERT INTO customer_fields (shop_id, owner, name, kind, value, at, effect_id)
VALUES (:shop_id, :owner, :name, :kind, :value, :now, :effect_id)
ON CONFLICT (shop_id, owner, name) DO UPDATE SET
  kind = excluded.kind, value = excluded.value, at = excluded.at, effect_id = excluded.effect_id

-- field_drop --
-- A field that was taken away.
DELETE FROM customer_fields
WHERE shop_id = :shop_id AND name = :name AND owner IN (SELECT value FROM {json_texts}(:owners))

-- field_of --
-- A person's fields, the newest last: it is the one that is kept.
SELECT name, kind, value FROM customer_fields
WHERE shop_id = :shop_id AND owner IN (SELECT value FROM {json_texts}(:owners)) ORDER BY at, owner

-- points_put --
-- Once an effect.
INSERT INTO points (shop_id, entry_id, owner, points, reason, order_id, reverses, expires_at, at)
VALUES (:shop_id, :entry_id, :owner, :points, :reason, :order_id, :reverses, :expires_at, :now)
ON CONFLICT (shop_id, entry_id) DO NOTHING

-- points_reverse --
-- At the value given, and lapsing when what it takes back does. A reversal itself is never reversed.
INSERT INTO points (shop_id, entry_id, owner, points, reason, order_id, reverses, expires_at, at)
SELECT shop_id, :new_id, owner, -points, :reason, order_id, entry_id, expires_at, :now FROM points
WHERE shop_id = :shop_id AND entry_id = :entry_id AND reverses IS NULL
ON CONFLICT (shop_id, entry_id) DO NOTHING

-- points_balance --
-- The sum of what has not lapsed.
SELECT COALESCE(SUM(points), 0) AS total FROM points
WHERE shop_id = :shop_id AND owner IN (SELECT value FROM {json_texts}(:owners))
  AND (expires_at IS NULL OR expires_at > :now)

-- points_of --
-- A person's entries.
SELECT * FROM points
WHERE shop_id = :shop_id AND owner IN (SELECT value FROM {json_texts}(:owners)) ORDER BY at, entry_id

-- run_tasks --
-- Runs that wait for a person's decision. The condition repeats the partial index's own.
SELECT * FROM runs WHERE status = 'awaiting' AND awaiting = '["task.decided"]'
  AND (:shop_id = '' OR shop_id = :shop_id)
ORDER BY wake_at, shop_id, run_id LIMIT :limit

-- effect_channel --
-- The channel that was chosen when the message was prepared.
UPDATE effects SET channel = :channel WHERE shop_id = :shop_id AND effect_id = :effect_id

-- person_fields --
-- What flows noted about them.
SELECT * FROM customer_fields WHERE shop_id = :shop_id AND owner IN (SELECT value FROM {json_texts}(:owners))

-- person_points --
-- Points of theirs.
SELECT * FROM points WHERE shop_id = :shop_id AND owner IN (SELECT value FROM {json_texts}(:owners))

-- erase_fields --
-- What flows noted about them.
DELETE FROM customer_fields WHERE shop_id = :shop_id AND owner IN (SELECT value FROM {json_texts}(:owners))

-- erase_points --
-- Nobody is left to spend them.
DELETE FROM points WHERE shop_id = :shop_id AND owner IN (SELECT value FROM {json_texts}(:owners))

-- wipe_customer_fields --
-- Of one shop.
DELETE FROM customer_fields WHERE shop_id = :shop_id

-- wipe_points --
-- Of one shop.
DELETE FROM points WHERE shop_id = :shop_id
