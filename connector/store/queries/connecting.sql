-- connected_put --
-- A store was connected, or connected again.
INSERT INTO connected_shops (shop_id, client_id, settings, granted, created_at, updated_at)
VALUES (:shop_id, :client_id, :settings, :granted, :now, :now)
ON CONFLICT (shop_id) DO UPDATE SET client_id = excluded.client_id, settings = excluded.settings,
  granted = excluded.granted, updated_at = excluded.updated_at

-- connected_all --
-- Every connected store: a layer of the configuration.
SELECT shop_id, client_id, settings, granted FROM connected_shops ORDER BY shop_id

-- connected_get --
-- One connected store.
SELECT shop_id, client_id, settings, granted FROM connected_shops WHERE shop_id = :shop_id

-- connected_delete --
-- The store is to be forgotten: nothing of the platform is known any more.
DELETE FROM connected_shops WHERE shop_id = :shop_id

-- generation_bump --
-- Tells running processes to read the connected stores again.
INSERT INTO meta (name, value, updated_at) VALUES ('connected_generation', '1', :now)
ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(meta.value AS INTEGER) + 1 AS TEXT), updated_at = excluded.updated_at

-- invite_put --
-- A new link to connect a store with.
INSERT INTO connect_invites (invite_hash, client_id, shop_id, locale, created_at, expires_at, used_at)
VALUES (:invite_hash, :client_id, :shop_id, :locale, :now, :expires_at, NULL)

-- invite_open --
-- A link that may still be used.
SELECT invite_hash, client_id, shop_id, locale FROM connect_invites
WHERE invite_hash = :invite_hash AND used_at IS NULL AND expires_at > :now

-- invite_use --
-- Used up: it changes a row once.
UPDATE connect_invites SET used_at = :now WHERE invite_hash = :invite_hash AND used_at IS NULL AND expires_at > :now

-- invite_sweep --
-- Links nobody can use any more.
DELETE FROM connect_invites WHERE expires_at <= :now

-- attempt_put --
-- The merchant submitted the form.
INSERT INTO connect_attempts (browser_hash, ticket_hash, callback_hash, invite_hash, platform, way, status, sealed,
  received, shop_id, created_at, expires_at)
VALUES (:browser_hash, :ticket_hash, :callback_hash, :invite_hash, :platform, :way, :status, :sealed, '', :shop_id,
  :now, :expires_at)

-- attempt_of --
-- The attempt of a browser.
SELECT browser_hash, ticket_hash, callback_hash, invite_hash, platform, way, status, sealed, received, shop_id
FROM connect_attempts WHERE browser_hash = :browser_hash AND expires_at > :now

-- attempt_by_callback --
-- The attempt a platform's server calls about, while it waits for that call.
SELECT browser_hash, ticket_hash, callback_hash, invite_hash, platform, way, status, sealed, received, shop_id
FROM connect_attempts WHERE callback_hash = :callback_hash AND status = 'open' AND expires_at > :now

-- attempt_receive --
-- Keep what the platform's server brought, once.
UPDATE connect_attempts SET received = :received
WHERE browser_hash = :browser_hash AND status = 'open' AND received = '' AND expires_at > :now

-- attempt_take --
-- The browser is back: one request takes the attempt, a second finds it taken.
UPDATE connect_attempts SET status = 'finishing'
WHERE browser_hash = :browser_hash AND ticket_hash = :ticket_hash AND status = 'open' AND expires_at > :now

-- attempt_release --
-- The store could not be asked just now: the same return may be tried again.
UPDATE connect_attempts SET status = 'open' WHERE browser_hash = :browser_hash AND status = 'finishing'

-- attempt_end --
-- Over, one way or the other: nothing secret is left, and the browser may look at the result for a while.
UPDATE connect_attempts SET status = :status, sealed = '', received = '', shop_id = :shop_id, expires_at = :expires_at
WHERE browser_hash = :browser_hash

-- attempt_all --
-- What is sealed in attempts, for the change of keys.
SELECT browser_hash, sealed, received FROM connect_attempts ORDER BY browser_hash

-- attempt_reseal --
-- The same texts under another key.
UPDATE connect_attempts SET sealed = :sealed, received = :received WHERE browser_hash = :browser_hash

-- attempt_sweep --
-- Attempts that ran out, with the keys they kept.
DELETE FROM connect_attempts WHERE expires_at <= :now
