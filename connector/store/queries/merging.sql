-- merge_orders --
-- What the account that is gone had bought, the kept one bought.
UPDATE orders SET customer_id = :kept WHERE shop_id = :shop_id AND customer_id = :merged

-- merge_runs --
-- People in flight go on under the kept account.
UPDATE runs SET customer_id = :kept,
  subject_id = CASE WHEN subject_kind = 'customer' AND subject_id = :merged THEN :kept ELSE subject_id END
WHERE shop_id = :shop_id AND customer_id = :merged

-- merge_consents --
-- What they had decided counts for the kept account too; the ledger itself only grows.
INSERT INTO consents (shop_id, address_key, customer_id, channel, purpose, state, raw_state, at, source, evidence,
  recorded_at)
SELECT shop_id, address_key, :kept, channel, purpose, state, raw_state, at, source, evidence, recorded_at
FROM consents WHERE shop_id = :shop_id AND customer_id = :merged
ON CONFLICT (shop_id, address_key, customer_id, channel, purpose, at, state) DO NOTHING

-- merge_review_asks --
-- What the account that is gone was asked to review, the kept one was.
UPDATE review_asks SET customer_id = :kept WHERE shop_id = :shop_id AND customer_id = :merged
