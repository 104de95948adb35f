-- preference_any --
-- Whether anybody of the shop chose anything: most shops begin without, and then nothing more is asked.
SELECT 1 AS found FROM preferences WHERE shop_id = :shop_id LIMIT 1

-- preference_of_keys --
-- What the people of a JSON list of addresses chose.
SELECT address_key, locale, paused_until, care_until, care_reason FROM preferences
WHERE shop_id = :shop_id AND address_key IN (SELECT value FROM {json_texts}(:keys))

-- preference_put --
-- The latest choice stands.
INSERT INTO preferences (shop_id, address_key, locale, paused_until, updated_at)
VALUES (:shop_id, :address_key, :locale, :paused_until, :now)
ON CONFLICT (shop_id, address_key) DO UPDATE SET locale = excluded.locale, paused_until = excluded.paused_until,
  updated_at = excluded.updated_at

-- person_preferences --
-- What they chose.
SELECT * FROM preferences WHERE shop_id = :shop_id AND address_key IN (SELECT value FROM {json_texts}(:addresses))

-- erase_preferences --
-- What they chose.
DELETE FROM preferences WHERE shop_id = :shop_id AND address_key IN (SELECT value FROM {json_texts}(:addresses))

-- wipe_preferences --
-- Of a whole shop.
DELETE FROM preferences WHERE shop_id = :shop_id
  AND address_key IN (SELECT address_key FROM preferences WHERE shop_id = :shop_id LIMIT :limit)
