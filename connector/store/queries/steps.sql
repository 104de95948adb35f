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

-- erase_fields --
-- What flows noted about them.
DELETE FROM customer_fields WHERE shop_id = :shop_id AND owner IN (SELECT value FROM {json_texts}(:owners))

-- wipe_customer_fields --
-- Of one shop.
DELETE FROM customer_fields WHERE shop_id = :shop_id

