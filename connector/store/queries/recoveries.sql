-- change_reads_of --
-- Up to which change each of these was read.
SELECT object_id, changed_at FROM change_reads WHERE shop_id = :shop_id AND kind = :kind
  AND object_id IN (SELECT value FROM {json_texts}(:ids))

-- change_read_put --
-- This change was read.
INSERT INTO change_reads (shop_id, kind, object_id, changed_at) VALUES (:shop_id, :kind, :object_id, :changed_at)
ON CONFLICT (shop_id, kind, object_id) DO UPDATE SET changed_at = excluded.changed_at

-- change_reads_prune --
-- What lies before the overlap is not listed again.
DELETE FROM change_reads WHERE shop_id = :shop_id AND kind = :kind AND changed_at < :before

-- order_versions --
-- How new our snapshots of these orders are.
SELECT order_id AS object_id, updated_at, deleted FROM orders
WHERE shop_id = :shop_id AND order_id IN (SELECT value FROM {json_texts}(:ids))

-- customer_versions --
-- How new our snapshots of these customers are.
SELECT customer_id AS object_id, updated_at, deleted FROM customers
WHERE shop_id = :shop_id AND customer_id IN (SELECT value FROM {json_texts}(:ids))

-- product_versions --
-- How new our snapshots of these products are.
SELECT product_id AS object_id, updated_at, deleted FROM products
WHERE shop_id = :shop_id AND product_id IN (SELECT value FROM {json_texts}(:ids))

-- orders_placed --
-- The living orders of a window, page by page.
SELECT order_id FROM orders
WHERE shop_id = :shop_id AND placed_at >= :since AND placed_at < :until AND deleted = 0 AND order_id > :after
ORDER BY order_id LIMIT :limit

-- recovery_put --
-- An order found by asking; whoever found it first.
INSERT INTO recoveries (shop_id, order_id, via, at) VALUES (:shop_id, :order_id, :via, :at)
ON CONFLICT (shop_id, order_id) DO NOTHING

-- arrivals --
-- How and when each order of a window came to us, page by page.
SELECT events.order_id AS order_id, events.at AS at, events.recorded_at AS recorded_at, recoveries.via AS via
FROM orders
JOIN events ON events.shop_id = orders.shop_id AND events.event_key = 'order/' || orders.order_id || '/created'
LEFT JOIN recoveries ON recoveries.shop_id = orders.shop_id AND recoveries.order_id = orders.order_id
WHERE orders.shop_id = :shop_id AND orders.placed_at >= :since AND orders.placed_at < :until
  AND orders.order_id > :after
ORDER BY orders.order_id LIMIT :limit
