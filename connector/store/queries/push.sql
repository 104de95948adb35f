-- push_put --
-- One row a browser: the same one again may belong to another person now.
INSERT INTO push_subscriptions (shop_id, subscription_id, email_key, sealed, created_at)
VALUES (:shop_id, :subscription_id, :email_key, :sealed, :now)
ON CONFLICT (shop_id, subscription_id) DO UPDATE SET email_key = excluded.email_key, sealed = excluded.sealed,
  created_at = excluded.created_at

-- push_of --
-- A person's browsers, the newest first.
SELECT subscription_id, sealed FROM push_subscriptions
WHERE shop_id = :shop_id AND email_key = :email_key ORDER BY created_at DESC, subscription_id LIMIT :limit

-- push_surplus --
-- What goes when a person has more browsers than are written to.
DELETE FROM push_subscriptions WHERE shop_id = :shop_id AND email_key = :email_key AND subscription_id NOT IN (
  SELECT subscription_id FROM push_subscriptions
  WHERE shop_id = :shop_id AND email_key = :email_key ORDER BY created_at DESC, subscription_id LIMIT :limit
)

-- push_drop --
-- The push service says that there is no such browser any more.
DELETE FROM push_subscriptions WHERE shop_id = :shop_id AND subscription_id = :subscription_id

-- push_stop --
-- The person wants none.
DELETE FROM push_subscriptions WHERE shop_id = :shop_id AND email_key = :email_key

-- push_sealed --
-- Everything that is sealed, for a change of keys.
SELECT shop_id, subscription_id, sealed FROM push_subscriptions ORDER BY shop_id, subscription_id

-- push_reseal --
-- The same under another key.
UPDATE push_subscriptions SET sealed = :sealed WHERE shop_id = :shop_id AND subscription_id = :subscription_id

-- person_push --
-- Their browsers; what reaches them is shown to nobody.
SELECT subscription_id, email_key, created_at FROM push_subscriptions
WHERE shop_id = :shop_id AND email_key IN (SELECT value FROM {json_texts}(:emails))

-- erase_push --
-- Nobody is written to any more.
DELETE FROM push_subscriptions WHERE shop_id = :shop_id AND email_key IN (SELECT value FROM {json_texts}(:emails))

-- wipe_push_subscriptions --
-- Of one shop.
DELETE FROM push_subscriptions WHERE shop_id = :shop_id
