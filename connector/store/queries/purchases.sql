-- purchase_of_names --
-- What somebody known by several accounts and addresses bought. An address may have been used for another's account.
SELECT order_id, placed_at, bought, CASE WHEN bought IS NULL THEN snapshot END AS snapshot
FROM orders WHERE shop_id = :shop_id AND email_key IN (SELECT value FROM {json_texts}(:emails)) AND deleted = 0
  AND (bought IS NULL OR bought <> '')
  AND (customer_id IS NULL OR customer_id IN (SELECT value FROM {json_texts}(:customers)))
UNION ALL
SELECT order_id, placed_at, bought, CASE WHEN bought IS NULL THEN snapshot END AS snapshot
FROM orders WHERE shop_id = :shop_id AND customer_id IN (SELECT value FROM {json_texts}(:customers))
  AND customer_id IS NOT NULL AND email_key IS NULL AND deleted = 0 AND (bought IS NULL OR bought <> '')
UNION ALL
SELECT order_id, placed_at, bought, CASE WHEN bought IS NULL THEN snapshot END AS snapshot
FROM orders WHERE shop_id = :shop_id AND customer_id IN (SELECT value FROM {json_texts}(:customers))
  AND customer_id IS NOT NULL AND email_key IS NOT NULL AND deleted = 0 AND (bought IS NULL OR bought <> '')
  AND email_key NOT IN (SELECT value FROM {json_texts}(:emails))

-- purchase_of_buyer --
-- What an address bought, and what its account bought without one; the snapshot only where the figure is not there yet.
SELECT order_id, placed_at, bought, CASE WHEN bought IS NULL THEN snapshot END AS snapshot
FROM orders WHERE shop_id = :shop_id AND email_key = :email_key AND deleted = 0 AND (bought IS NULL OR bought <> '')
UNION ALL
SELECT order_id, placed_at, bought, CASE WHEN bought IS NULL THEN snapshot END AS snapshot
FROM orders WHERE shop_id = :shop_id AND customer_id = :customer_id AND email_key IS NULL AND customer_id IS NOT NULL
  AND deleted = 0 AND (bought IS NULL OR bought <> '')
