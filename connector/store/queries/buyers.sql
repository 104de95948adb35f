-- buyers_page --
-- Who placed each order, a page at a time.
SELECT order_id, email_key, customer_id, placed_at FROM orders
WHERE shop_id = :shop_id AND order_id > :after_id AND snapshot IS NOT NULL AND deleted = 0 AND placed_at < :until
ORDER BY order_id LIMIT :limit

-- buyers_of --
-- By JSON lists of addresses, of accounts (each of the two has an index of its own) and of orders' ids.
SELECT order_id, email_key, customer_id, placed_at FROM orders
WHERE shop_id = :shop_id AND email_key IN (SELECT value FROM {json_texts}(:keys))
  AND snapshot IS NOT NULL AND deleted = 0 AND placed_at < :until
UNION
SELECT order_id, email_key, customer_id, placed_at FROM orders
WHERE shop_id = :shop_id AND customer_id IN (SELECT value FROM {json_texts}(:ids)) AND email_key IS NOT NULL
  AND snapshot IS NOT NULL AND deleted = 0 AND placed_at < :until
UNION
SELECT order_id, email_key, customer_id, placed_at FROM orders
WHERE shop_id = :shop_id AND customer_id IN (SELECT value FROM {json_texts}(:ids)) AND email_key IS NULL
  AND snapshot IS NOT NULL AND deleted = 0 AND placed_at < :until
UNION
SELECT order_id, email_key, customer_id, placed_at FROM orders
WHERE shop_id = :shop_id AND order_id IN (SELECT value FROM {json_texts}(:orders))
  AND snapshot IS NOT NULL AND deleted = 0 AND placed_at < :until

-- buyers_carts --
-- Checkouts, a page at a time: when they were begun and whose they are stands inside them.
SELECT token, snapshot FROM checkouts
WHERE shop_id = :shop_id AND token > :after_id AND snapshot IS NOT NULL ORDER BY token LIMIT :limit

-- buyers_anybody_referred --
-- Whether anybody was.
SELECT 1 AS found FROM referrals WHERE shop_id = :shop_id AND advocate_email_key <> '' LIMIT 1

-- buyers_referred --
-- Who brought whom, of either: neither can be looked at without the other.
SELECT advocate_email_key, friend_order_id FROM referrals
WHERE shop_id = :shop_id AND advocate_email_key IN (SELECT value FROM {json_texts}(:keys))
UNION
SELECT advocate_email_key, friend_order_id FROM referrals
WHERE shop_id = :shop_id AND friend_order_id IN (SELECT value FROM {json_texts}(:orders)) AND advocate_email_key <> ''

-- buyers_count --
-- By an index that holds the time and nothing else.
SELECT COUNT(*) AS orders FROM orders WHERE shop_id = :shop_id AND placed_at >= :since AND placed_at < :until

-- buyers_earliest --
-- When the first order was placed, by the same index.
SELECT placed_at FROM orders WHERE shop_id = :shop_id AND placed_at IS NOT NULL ORDER BY placed_at LIMIT 1
