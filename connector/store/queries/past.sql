-- past_checkouts --
-- Checkouts by a JSON list of tokens.
SELECT token, snapshot FROM checkouts
WHERE shop_id = :shop_id AND token IN (SELECT value FROM {json_texts}(:ids)) AND snapshot IS NOT NULL

-- past_orders --
-- Orders by a JSON list of ids.
SELECT order_id, snapshot FROM orders
WHERE shop_id = :shop_id AND order_id IN (SELECT value FROM {json_texts}(:ids)) AND snapshot IS NOT NULL

-- past_shipments --
-- Their parcels.
SELECT shipment_id, order_id, status, raw_status, status_at, status_since, snapshot FROM shipments
WHERE shop_id = :shop_id AND order_id IN (SELECT value FROM {json_texts}(:ids))

-- past_shipment_times --
-- When the carriers first told each state of their parcels.
SELECT order_id, shipment_id, status, MIN(at) AS at FROM shipment_events
WHERE shop_id = :shop_id AND order_id IN (SELECT value FROM {json_texts}(:ids))
GROUP BY order_id, shipment_id, status

-- past_refunds --
-- Money that went back.
SELECT order_id, snapshot FROM refunds
WHERE shop_id = :shop_id AND order_id IN (SELECT value FROM {json_texts}(:ids)) ORDER BY at, refund_id

-- past_returns --
-- Goods that went back.
SELECT order_id, snapshot FROM returns
WHERE shop_id = :shop_id AND order_id IN (SELECT value FROM {json_texts}(:ids)) ORDER BY at, return_id

-- past_told --
-- What no snapshot tells: reviews, the stages of returns, states parcels were in, events of the merchant's own.
SELECT kind, event_key, subject_kind, subject_id, order_id, customer_id, at, data FROM events
WHERE shop_id = :shop_id AND order_id IN (SELECT value FROM {json_texts}(:ids))
  AND (kind = 'review.submitted' OR kind LIKE 'return.%' OR kind LIKE 'custom.%'
    OR (kind LIKE 'shipment.%' AND kind NOT IN ('shipment.created', 'shipment.updated')))
ORDER BY at, event_key

-- past_accounts --
-- Accounts by a JSON list of ids.
SELECT customer_id, snapshot FROM customers
WHERE shop_id = :shop_id AND customer_id IN (SELECT value FROM {json_texts}(:ids)) AND snapshot IS NOT NULL

-- past_consents --
-- What people said, by their addresses and their accounts.
SELECT seq, address_key, customer_id, channel, purpose, state, raw_state, at, source, evidence FROM consents
WHERE shop_id = :shop_id AND (address_key IN (SELECT value FROM {json_texts}(:keys))
  OR (customer_id <> '' AND customer_id IN (SELECT value FROM {json_texts}(:ids))))
ORDER BY at, seq

-- past_suppressions --
-- Addresses that were not to be written to any more, and since when.
SELECT address_key, channel, scope, reason, at FROM suppressions
WHERE shop_id = :shop_id AND address_key IN (SELECT value FROM {json_texts}(:keys)) ORDER BY at, scope

-- past_codes --
-- Codes of theirs that friends may have ordered with.
SELECT code_key, advocate_email_key, advocate_customer_id, order_id, created_at FROM referral_codes
WHERE shop_id = :shop_id AND advocate_email_key IN (SELECT value FROM {json_texts}(:keys)) ORDER BY created_at, code_key

-- past_products --
-- What the shop sells, a page at a time.
SELECT product_id, updated_at, deleted, snapshot FROM products
WHERE shop_id = :shop_id AND product_id > :after_id AND snapshot IS NOT NULL ORDER BY product_id LIMIT :limit

-- past_flow_version --
-- A flow's text by its version alone: it is a hash of the text.
SELECT body FROM flow_versions WHERE shop_id = :shop_id AND version = :version
