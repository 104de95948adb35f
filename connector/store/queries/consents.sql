-- consent_record --
-- Append; the same decision read again from a later snapshot is no second entry.
INSERT INTO consents (shop_id, address_key, customer_id, channel, purpose, state, raw_state, at, source, evidence,
  recorded_at)
VALUES (:shop_id, :address_key, :customer_id, :channel, :purpose, :state, :raw_state, :at, :source, :evidence, :now)
ON CONFLICT (shop_id, address_key, customer_id, channel, purpose, at, state) DO NOTHING

-- consent_said --
-- What may decide: entries of the address; those without an address, of the customer asked about or of customers known
-- by the address; and the customer's entries for other addresses, of which only a refusal counts.
SELECT seq, address_key, customer_id, channel, purpose, state, raw_state, at, source, evidence, recorded_at
FROM consents
WHERE shop_id = :shop_id AND channel = :channel AND purpose IN (:purpose, :covering)
  AND (address_key = :address_key OR (customer_id = :customer_id AND customer_id <> '')
    OR (address_key = '' AND customer_id IN (SELECT c.customer_id FROM customers c
      WHERE c.shop_id = :shop_id AND c.email_key = :address_key)))

-- consent_history --
-- Every entry for an address, oldest first.
SELECT seq, address_key, customer_id, channel, purpose, state, raw_state, at, source, evidence, recorded_at
FROM consents
WHERE shop_id = :shop_id AND (address_key = :address_key OR (address_key = '' AND customer_id <> '' AND customer_id IN (
  SELECT c.customer_id FROM customers c WHERE c.shop_id = :shop_id AND c.email_key = :address_key)))
ORDER BY at, seq

-- suppression_add --
-- The latest reason stands.
INSERT INTO suppressions (shop_id, address_key, channel, scope, reason, at)
VALUES (:shop_id, :address_key, :channel, :scope, :reason, :now)
ON CONFLICT (shop_id, address_key, channel, scope) DO UPDATE SET reason = excluded.reason, at = excluded.at

-- suppression_find --
-- All scopes of an address on a channel.
SELECT scope, reason, at FROM suppressions
WHERE shop_id = :shop_id AND address_key = :address_key AND channel = :channel ORDER BY scope

-- suppression_remove --
-- Lift one.
DELETE FROM suppressions
WHERE shop_id = :shop_id AND address_key = :address_key AND channel = :channel AND scope = :scope

-- suppression_of_keys --
-- The same for a JSON list of addresses.
SELECT address_key, scope, reason, at FROM suppressions
WHERE shop_id = :shop_id AND channel = :channel AND address_key IN (SELECT value FROM {json_texts}(:keys))
ORDER BY address_key, scope
