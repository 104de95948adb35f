-- sent_before_put --
-- What the send ledger tells; once told as sent it stays so.
INSERT INTO sent_before (shop_id, sent_key, fate, at, met_at)
VALUES (:shop_id, :sent_key, :fate, :at, NULL)
ON CONFLICT (shop_id, sent_key) DO UPDATE SET
  fate = CASE WHEN sent_before.fate = 'sent' THEN 'sent' ELSE excluded.fate END

-- restored_leases_end --
-- Leases that the workers of the lost database held.
UPDATE effects SET lease_until = :now WHERE status = 'sending' AND lease_until > :now

-- sent_before_any --
-- Whether this database was ever restored with a ledger that had something to tell.
SELECT 1 AS found FROM sent_before LIMIT 1

-- sent_before_of --
-- What is known of these keys, a JSON list.
SELECT sent_key, fate, at FROM sent_before
WHERE shop_id = :shop_id AND sent_key IN (SELECT value FROM {json_texts}(:keys))

-- sent_before_meet --
-- An effect of this database was recognised.
UPDATE sent_before SET met_at = :now WHERE shop_id = :shop_id AND sent_key = :sent_key AND met_at IS NULL

-- sent_before_counts --
-- How many there are of each fate, and how many were met.
SELECT fate, COUNT(*) AS total, COUNT(met_at) AS met FROM sent_before GROUP BY fate

-- sent_before_prune --
-- Older than anything that could still be sent again.
DELETE FROM sent_before WHERE at < :before

-- wipe_sent_before --
-- Of one shop, a piece at a time.
DELETE FROM sent_before WHERE shop_id = :shop_id
  AND sent_key IN (SELECT sent_key FROM sent_before WHERE shop_id = :shop_id LIMIT :limit)

-- people_addresses --
-- Whom a shop knows, by page: for recognising people by their hashes after a restore.
SELECT customer_id, email_key FROM customers WHERE shop_id = :shop_id AND customer_id > :after
ORDER BY customer_id LIMIT :limit

-- people_orders --
-- The orders a shop knows and their addresses, by page.
SELECT order_id, email_key FROM orders WHERE shop_id = :shop_id AND order_id > :after ORDER BY order_id LIMIT :limit

-- refused_put --
-- Somebody this database has not met had said no before the restore.
INSERT INTO refused_before (shop_id, sealed_key, channel, scope, reason, at)
VALUES (:shop_id, :sealed_key, :channel, :scope, :reason, :at)
ON CONFLICT (shop_id, sealed_key, channel, scope) DO UPDATE SET reason = excluded.reason, at = excluded.at

-- refused_any --
-- Whether anybody of a shop is still to be met.
SELECT 1 AS found FROM refused_before WHERE shop_id = :shop_id LIMIT 1

-- refused_of --
-- What is known of these hashes, a JSON list.
SELECT sealed_key, channel, scope, reason, at FROM refused_before
WHERE shop_id = :shop_id AND sealed_key IN (SELECT value FROM {json_texts}(:keys)) ORDER BY sealed_key, at

-- refused_met --
-- They were met.
DELETE FROM refused_before WHERE shop_id = :shop_id AND sealed_key IN (SELECT value FROM {json_texts}(:keys))

-- wipe_refused_before --
-- Of one shop, a piece at a time.
DELETE FROM refused_before WHERE shop_id = :shop_id
  AND sealed_key IN (SELECT sealed_key FROM refused_before WHERE shop_id = :shop_id LIMIT :limit)

-- people_of_customers --
-- The accounts a shop knows, by page: whose number it is stands in the snapshot.
SELECT customer_id, snapshot FROM customers WHERE shop_id = :shop_id AND customer_id > :after AND snapshot IS NOT NULL
ORDER BY customer_id LIMIT :limit

-- people_of_orders --
-- The orders a shop knows, by page.
SELECT order_id, snapshot FROM orders WHERE shop_id = :shop_id AND order_id > :after AND snapshot IS NOT NULL
ORDER BY order_id LIMIT :limit
