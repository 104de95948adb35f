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

-- consent_page --
-- The whole ledger of a shop, a page at a time.
SELECT seq, address_key, customer_id, channel, purpose, state, raw_state, at, source, evidence, recorded_at
FROM consents WHERE shop_id = :shop_id AND seq > :after ORDER BY seq LIMIT :limit

-- consent_sent --
-- How many messages that need a ground went out, or may have.
SELECT COUNT(*) AS total FROM effects
WHERE kind = 'message' AND purpose <> 'transactional' AND status IN ('sent', 'sending', 'uncertain')
  AND recipient_key <> '' AND first_try_at IS NOT NULL AND (:shop_id = '' OR shop_id = :shop_id)

-- consent_unfounded --
-- The invariant: a message of the marketing class goes out only to somebody whose newest decision, as it was known when
-- the message left, is a yes (about the very purpose before marketing as a whole), or who was never asked by a shop
-- that tells its buyers at checkout; never past a no the same customer gave later for another address, nor past an
-- entry of the suppression list. Whoever is named here should not have been written to.
SELECT m.shop_id, m.effect_id, m.flow_id, m.purpose, m.channel, m.at, m.said, m.told, m.stopped, m.refused FROM (
  SELECT e.shop_id, e.effect_id, e.flow_id, e.purpose, e.channel, e.first_try_at AS at,
    COALESCE((SELECT c.state FROM consents c
      WHERE c.shop_id = e.shop_id AND c.channel = CASE WHEN e.channel = '' THEN 'email' ELSE e.channel END
        AND (c.address_key = e.recipient_key OR (c.address_key = '' AND c.customer_id <> ''
          AND (c.customer_id = r.customer_id OR c.customer_id IN (SELECT k.customer_id FROM customers k
            WHERE k.shop_id = e.shop_id AND k.email_key = e.recipient_key))))
        AND (c.purpose = e.purpose
          OR (c.purpose = 'marketing' AND e.purpose IN ('review', 'referral', 'loyalty')))
        AND c.recorded_at <= e.first_try_at
      ORDER BY CASE WHEN c.purpose = e.purpose THEN 1 ELSE 0 END DESC, c.at DESC, c.seq DESC LIMIT 1), '') AS said,
    (SELECT COUNT(*) FROM journal j
      WHERE j.shop_id = e.shop_id AND j.run_id = e.run_id AND j.step_id = e.step_id AND j.what = 'allowed'
        AND j.detail LIKE '%"soft_opt_in":"true"%') AS told,
    (SELECT COUNT(*) FROM suppressions s
      WHERE s.shop_id = e.shop_id AND s.address_key = e.recipient_key AND s.at < e.first_try_at
        AND s.channel = CASE WHEN e.channel = '' THEN 'email' ELSE e.channel END
        AND s.reason IN ('unsubscribe', 'complaint', 'hard_bounce', 'manual')
        AND (s.scope IN ('all', 'marketing') OR s.scope = e.purpose)) AS stopped,
    (SELECT COUNT(*) FROM consents w
      WHERE w.shop_id = e.shop_id AND w.customer_id = r.customer_id AND w.customer_id <> ''
        AND w.address_key <> e.recipient_key AND w.address_key <> '' AND w.state = 'withdrawn'
        AND w.channel = CASE WHEN e.channel = '' THEN 'email' ELSE e.channel END
        AND (w.purpose = e.purpose
          OR (w.purpose = 'marketing' AND e.purpose IN ('review', 'referral', 'loyalty')))
        AND w.recorded_at <= e.first_try_at
        AND NOT EXISTS (SELECT 1 FROM consents n
          WHERE n.shop_id = w.shop_id AND n.channel = w.channel AND n.purpose IN (w.purpose, e.purpose)
            AND n.address_key IN (w.address_key, e.recipient_key) AND n.recorded_at <= e.first_try_at
            AND (n.at > w.at OR (n.at = w.at AND n.seq > w.seq)))) AS refused
  FROM effects e LEFT JOIN runs r ON r.shop_id = e.shop_id AND r.run_id = e.run_id
  WHERE e.kind = 'message' AND e.purpose <> 'transactional' AND e.status IN ('sent', 'sending', 'uncertain')
    AND e.recipient_key <> '' AND e.first_try_at IS NOT NULL AND (:shop_id = '' OR e.shop_id = :shop_id)
) AS m
WHERE NOT (m.said = 'granted' OR (m.said IN ('', 'unknown') AND m.told > 0)) OR m.stopped > 0 OR m.refused > 0
ORDER BY m.at, m.effect_id
