-- shop_save --
-- Insert or refresh. The status of a known shop stays: a restart must not wake a paused or uninstalled one.
INSERT INTO shops (shop_id, platform, domain, status, status_reason, snapshot, created_at, updated_at)
VALUES (:shop_id, :platform, :domain, :status, '', :snapshot, :now, :now)
ON CONFLICT (shop_id) DO UPDATE SET platform = excluded.platform, domain = excluded.domain,
  snapshot = excluded.snapshot, updated_at = excluded.updated_at

-- shop_get --
-- One shop.
SELECT snapshot, status FROM shops WHERE shop_id = :shop_id

-- shop_created_at --
-- Since when a shop is known.
SELECT created_at FROM shops WHERE shop_id = :shop_id

-- shop_all --
-- Every shop.
SELECT snapshot, status FROM shops ORDER BY shop_id

-- shop_by_domain --
-- The shop behind a platform's domain.
SELECT snapshot, status FROM shops WHERE platform = :platform AND domain = :domain

-- shop_set_status --
-- Pause, resume, uninstall.
UPDATE shops SET status = :status, status_reason = :reason, updated_at = :now WHERE shop_id = :shop_id

-- endpoint_put --
-- A hook URL's random key.
INSERT INTO endpoints (endpoint_key, platform, owner_id, shop_id, created_at)
VALUES (:key, :platform, :owner_id, :shop_id, :now)
ON CONFLICT (endpoint_key) DO UPDATE SET platform = excluded.platform, owner_id = excluded.owner_id,
  shop_id = excluded.shop_id

-- endpoint_get --
-- What a key stands for.
SELECT endpoint_key, platform, owner_id, shop_id FROM endpoints WHERE endpoint_key = :key

-- endpoint_all --
-- Every hook URL.
SELECT endpoint_key, platform, owner_id, shop_id FROM endpoints ORDER BY endpoint_key

-- credential_put --
-- Insert or replace one encrypted value.
INSERT INTO credentials (owner_id, name, value, updated_at) VALUES (:owner_id, :name, :value, :now)
ON CONFLICT (owner_id, name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at

-- credential_of --
-- The encrypted values of one owner.
SELECT name, value FROM credentials WHERE owner_id = :owner_id

-- credential_all --
-- Every encrypted value, for the change of keys.
SELECT owner_id, name, value FROM credentials ORDER BY owner_id, name

-- credential_reencrypt --
-- The same secret under the new key, unless it was replaced meanwhile.
UPDATE credentials SET value = :value WHERE owner_id = :owner_id AND name = :name AND value = :old

-- credential_delete --
-- Forget an owner's secrets.
DELETE FROM credentials WHERE owner_id = :owner_id

-- credential_drop --
-- One credential is not to be used any more.
DELETE FROM credentials WHERE owner_id = :owner_id AND name = :name
