-- provider_accounts_all --
-- As many as there are channels with a rate, or that were asked to wait.
SELECT * FROM provider_accounts

-- provider_account_ensure --
-- A row for an account that had none.
INSERT INTO provider_accounts (account, full_until, first_slot, later_slot, blocked_until, reason)
VALUES (:account, '', '', '', '', '') ON CONFLICT (account) DO NOTHING

-- provider_account_take --
-- One message's share; nothing when another worker took the same share first.
UPDATE provider_accounts SET full_until = :full_until WHERE account = :account AND full_until = :seen

-- provider_account_slot --
-- The last moments given to those that wait.
UPDATE provider_accounts SET first_slot = :first_slot, later_slot = :later_slot WHERE account = :account

-- provider_account_block --
-- The provider asked everybody to wait; the later of two wishes holds.
UPDATE provider_accounts SET blocked_until = :until, reason = :reason
WHERE account = :account AND blocked_until < :until

-- provider_breakers_all --
-- Only what fails just now has a row.
SELECT * FROM provider_breakers

-- provider_breakers_of --
-- The same of one shop.
SELECT * FROM provider_breakers WHERE shop_id = :shop_id

-- provider_breaker_put --
-- A failure more.
INSERT INTO provider_breakers (shop_id, provider, failures, open_until, trying_until, reason)
VALUES (:shop_id, :provider, :failures, :open_until, '', :reason)
ON CONFLICT (shop_id, provider) DO UPDATE SET failures = excluded.failures, open_until = excluded.open_until,
  trying_until = '', reason = excluded.reason

-- provider_breaker_try --
-- One message may try; nothing when another worker's is at it.
UPDATE provider_breakers SET trying_until = :until
WHERE shop_id = :shop_id AND provider = :provider AND trying_until = :seen

-- provider_breaker_close --
-- It answers again.
DELETE FROM provider_breakers WHERE shop_id = :shop_id AND provider = :provider

-- effect_way_get --
-- By which provider it went.
SELECT provider, doubts FROM effect_ways WHERE shop_id = :shop_id AND effect_id = :effect_id

-- effect_way_put --
-- By which provider it goes now.
INSERT INTO effect_ways (shop_id, effect_id, provider, doubts) VALUES (:shop_id, :effect_id, :provider, 0)
ON CONFLICT (shop_id, effect_id) DO UPDATE SET provider = excluded.provider

-- effect_way_doubt --
-- One attempt more of which nobody knows the end.
INSERT INTO effect_ways (shop_id, effect_id, provider, doubts) VALUES (:shop_id, :effect_id, :provider, 1)
ON CONFLICT (shop_id, effect_id) DO UPDATE SET doubts = effect_ways.doubts + 1

-- erase_effect_ways --
-- The effect gets another name; nobody asks any more by which provider it went.
DELETE FROM effect_ways WHERE shop_id = :shop_id AND effect_id IN (SELECT value FROM {json_texts}(:effects))

-- wipe_effect_ways --
-- Of one shop.
DELETE FROM effect_ways WHERE shop_id = :shop_id AND effect_id IN (
  SELECT effect_id FROM effect_ways WHERE shop_id = :shop_id LIMIT :limit)

-- wipe_provider_breakers --
-- Of one shop.
DELETE FROM provider_breakers WHERE shop_id = :shop_id AND provider IN (
  SELECT provider FROM provider_breakers WHERE shop_id = :shop_id LIMIT :limit)
