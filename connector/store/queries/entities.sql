-- order_put --
-- Newest wins, of equals the later arrival; only something newer brings a deleted order back.
INSERT INTO orders (shop_id, order_id, number, email_key, customer_id, placed_at, updated_at, deleted, snapshot,
  bought)
VALUES (:shop_id, :order_id, :number, :email_key, :customer_id, :placed_at, :updated_at, 0, :snapshot, :bought)
ON CONFLICT (shop_id, order_id) DO UPDATE SET number = excluded.number, email_key = excluded.email_key,
  customer_id = excluded.customer_id, placed_at = excluded.placed_at, updated_at = excluded.updated_at,
  deleted = 0, snapshot = excluded.snapshot, bought = excluded.bought
WHERE excluded.updated_at > orders.updated_at
  OR (excluded.updated_at = orders.updated_at AND orders.deleted = 0)

-- order_delete --
-- A tombstone; it keeps late older snapshots out.
INSERT INTO orders (shop_id, order_id, updated_at, deleted) VALUES (:shop_id, :id, :at, 1)
ON CONFLICT (shop_id, order_id) DO UPDATE SET updated_at = excluded.updated_at, deleted = 1
WHERE excluded.updated_at >= orders.updated_at

-- order_get --
-- One order.
SELECT updated_at, snapshot, deleted FROM orders WHERE shop_id = :shop_id AND order_id = :order_id

-- order_by_number --
-- By the number the customer knows; the newest, should a shop have used it twice.
SELECT snapshot, deleted FROM orders
WHERE shop_id = :shop_id AND number = :number AND deleted = 0 ORDER BY placed_at DESC LIMIT 1

-- order_of_email --
-- A person's orders, newest first.
SELECT snapshot, deleted FROM orders
WHERE shop_id = :shop_id AND email_key = :email_key AND deleted = 0 ORDER BY placed_at DESC LIMIT :limit

-- customer_put --
-- Newest wins.
INSERT INTO customers (shop_id, customer_id, email_key, updated_at, deleted, snapshot)
VALUES (:shop_id, :customer_id, :email_key, :updated_at, 0, :snapshot)
ON CONFLICT (shop_id, customer_id) DO UPDATE SET email_key = excluded.email_key, updated_at = excluded.updated_at,
  deleted = 0, snapshot = excluded.snapshot
WHERE excluded.updated_at > customers.updated_at
  OR (excluded.updated_at = customers.updated_at AND customers.deleted = 0)

-- customer_amend --
-- Something known of a customer beside the snapshots: it makes none of them older.
UPDATE customers SET snapshot = :snapshot WHERE shop_id = :shop_id AND customer_id = :customer_id

-- customer_delete --
-- A tombstone.
INSERT INTO customers (shop_id, customer_id, updated_at, deleted) VALUES (:shop_id, :id, :at, 1)
ON CONFLICT (shop_id, customer_id) DO UPDATE SET updated_at = excluded.updated_at, deleted = 1
WHERE excluded.updated_at >= customers.updated_at

-- customer_get --
-- One customer.
SELECT snapshot, deleted FROM customers WHERE shop_id = :shop_id AND customer_id = :customer_id

-- customer_of_ids --
-- Customers by a JSON list of ids.
SELECT customer_id, snapshot, deleted FROM customers
WHERE shop_id = :shop_id AND customer_id IN (SELECT value FROM {json_texts}(:ids))

-- customer_by_email --
-- The customer with this address, the newest of several.
SELECT snapshot, deleted FROM customers
WHERE shop_id = :shop_id AND email_key = :email_key AND deleted = 0 ORDER BY updated_at DESC LIMIT 1

-- product_put --
-- Newest wins.
INSERT INTO products (shop_id, product_id, updated_at, deleted, snapshot)
VALUES (:shop_id, :product_id, :updated_at, :deleted, :snapshot)
ON CONFLICT (shop_id, product_id) DO UPDATE SET updated_at = excluded.updated_at, deleted = excluded.deleted,
  snapshot = excluded.snapshot
WHERE excluded.updated_at > products.updated_at
  OR (excluded.updated_at = products.updated_at AND products.deleted = 0)

-- product_delete --
-- A tombstone.
INSERT INTO products (shop_id, product_id, updated_at, deleted) VALUES (:shop_id, :id, :at, 1)
ON CONFLICT (shop_id, product_id) DO UPDATE SET updated_at = excluded.updated_at, deleted = 1
WHERE excluded.updated_at >= products.updated_at

-- product_by_ids --
-- Products by a JSON list of ids.
SELECT product_id, snapshot, deleted FROM products
WHERE shop_id = :shop_id AND product_id IN (SELECT value FROM {json_texts}(:ids)) AND snapshot IS NOT NULL

-- checkout_put --
-- Newest wins.
INSERT INTO checkouts (shop_id, token, updated_at, deleted, snapshot)
VALUES (:shop_id, :token, :updated_at, :deleted, :snapshot)
ON CONFLICT (shop_id, token) DO UPDATE SET updated_at = excluded.updated_at, deleted = excluded.deleted,
  snapshot = excluded.snapshot
WHERE excluded.updated_at > checkouts.updated_at
  OR (excluded.updated_at = checkouts.updated_at AND checkouts.deleted = 0)

-- checkout_delete --
-- A tombstone.
INSERT INTO checkouts (shop_id, token, updated_at, deleted) VALUES (:shop_id, :id, :at, 1)
ON CONFLICT (shop_id, token) DO UPDATE SET updated_at = excluded.updated_at, deleted = 1
WHERE excluded.updated_at >= checkouts.updated_at

-- checkout_get --
-- One checkout.
SELECT snapshot, deleted FROM checkouts WHERE shop_id = :shop_id AND token = :token

-- shipment_put --
-- Two comparisons in one row: the newest snapshot, and the furthest status by (rank, time).
INSERT INTO shipments (shop_id, shipment_id, order_id, status, raw_status, status_rank, status_at, status_since,
  snapshot_at, snapshot)
VALUES (:shop_id, :shipment_id, :order_id, :status, :raw_status, :status_rank, :status_at, :status_at,
  :snapshot_at, :snapshot)
ON CONFLICT (shop_id, shipment_id) DO UPDATE SET
  snapshot = CASE WHEN excluded.snapshot IS NOT NULL AND excluded.snapshot_at >= shipments.snapshot_at
    THEN excluded.snapshot ELSE shipments.snapshot END,
  snapshot_at = CASE WHEN excluded.snapshot_at > shipments.snapshot_at
    THEN excluded.snapshot_at ELSE shipments.snapshot_at END,
  status_since = CASE
    WHEN excluded.status = shipments.status AND excluded.status_at < shipments.status_since THEN excluded.status_at
    WHEN excluded.status <> shipments.status
      AND (excluded.status_rank, excluded.status_at) > (shipments.status_rank, shipments.status_at)
      THEN excluded.status_at
    ELSE shipments.status_since END,
  status = CASE WHEN (excluded.status_rank, excluded.status_at) > (shipments.status_rank, shipments.status_at)
    THEN excluded.status ELSE shipments.status END,
  raw_status = CASE WHEN (excluded.status_rank, excluded.status_at) > (shipments.status_rank, shipments.status_at)
    THEN excluded.raw_status ELSE shipments.raw_status END,
  status_at = CASE WHEN (excluded.status_rank, excluded.status_at) > (shipments.status_rank, shipments.status_at)
    THEN excluded.status_at ELSE shipments.status_at END,
  status_rank = CASE WHEN excluded.status_rank > shipments.status_rank
    THEN excluded.status_rank ELSE shipments.status_rank END

-- shipment_event_put --
-- A carrier's word, once.
INSERT INTO shipment_events (shop_id, shipment_event_id, shipment_id, order_id, status, at, snapshot)
VALUES (:shop_id, :shipment_event_id, :shipment_id, :order_id, :status, :at, :snapshot)
ON CONFLICT (shop_id, shipment_event_id) DO NOTHING

-- shipment_get --
-- One parcel.
SELECT shipment_id, order_id, status, raw_status, status_at, status_since, snapshot
FROM shipments WHERE shop_id = :shop_id AND shipment_id = :shipment_id

-- shipment_of_order --
-- An order's parcels, in the order of their ids.
SELECT shipment_id, order_id, status, raw_status, status_at, status_since, snapshot
FROM shipments WHERE shop_id = :shop_id AND order_id = :order_id ORDER BY shipment_id

-- shipment_arrived --
-- The parcels that were delivered last, with their orders: how long one takes.
SELECT s.status_since, s.snapshot, o.snapshot AS order_snapshot
FROM shipments s JOIN orders o ON o.shop_id = s.shop_id AND o.order_id = s.order_id
WHERE s.shop_id = :shop_id AND s.status = 'delivered' AND s.snapshot IS NOT NULL AND o.snapshot IS NOT NULL
ORDER BY s.status_since DESC LIMIT 0 + :limit

-- shipment_event_of_order --
-- What carriers said of an order's parcels, oldest first.
SELECT shipment_id, snapshot FROM shipment_events WHERE shop_id = :shop_id AND order_id = :order_id ORDER BY at

-- shipment_event_first --
-- When a parcel first had a status, by the carrier's word.
SELECT MIN(at) AS at FROM shipment_events
WHERE shop_id = :shop_id AND shipment_id = :shipment_id AND status = :status

-- shipment_event_times --
-- When an order's parcels first had each status, by the carrier's word.
SELECT shipment_id, status, MIN(at) AS at FROM shipment_events
WHERE shop_id = :shop_id AND order_id = :order_id GROUP BY shipment_id, status

-- refund_put --
-- Once.
INSERT INTO refunds (shop_id, refund_id, order_id, at, snapshot)
VALUES (:shop_id, :refund_id, :order_id, :at, :snapshot)
ON CONFLICT (shop_id, refund_id) DO NOTHING

-- refund_of_order --
-- Money that went back, oldest first.
SELECT snapshot FROM refunds WHERE shop_id = :shop_id AND order_id = :order_id ORDER BY at, refund_id

-- return_put --
-- Newest wins.
INSERT INTO returns (shop_id, return_id, order_id, at, snapshot)
VALUES (:shop_id, :return_id, :order_id, :at, :snapshot)
ON CONFLICT (shop_id, return_id) DO UPDATE SET at = excluded.at, snapshot = excluded.snapshot
WHERE excluded.at >= returns.at

-- return_of_order --
-- Goods that go back, oldest first.
SELECT snapshot FROM returns WHERE shop_id = :shop_id AND order_id = :order_id ORDER BY at, return_id

-- order_followers --
-- What came after an order, asked at once: most orders have nothing yet, and four questions less is a message more.
SELECT
  EXISTS (SELECT 1 FROM shipments WHERE shop_id = :shop_id AND order_id = :order_id) AS shipments,
  EXISTS (SELECT 1 FROM refunds WHERE shop_id = :shop_id AND order_id = :order_id) AS refunds,
  EXISTS (SELECT 1 FROM returns WHERE shop_id = :shop_id AND order_id = :order_id) AS returns,
  (SELECT MAX(at) FROM events WHERE shop_id = :shop_id AND order_id = :order_id AND kind = 'review.submitted')
    AS reviewed_at

-- order_of_ids --
-- The same two questions (order_get, order_followers) for a JSON list of ids; updated_at is NULL for what is unknown.
SELECT ids.value AS order_id, o.updated_at, o.snapshot, o.deleted,
  EXISTS (SELECT 1 FROM shipments WHERE shop_id = :shop_id AND order_id = ids.value) AS shipments,
  EXISTS (SELECT 1 FROM refunds WHERE shop_id = :shop_id AND order_id = ids.value) AS refunds,
  EXISTS (SELECT 1 FROM returns WHERE shop_id = :shop_id AND order_id = ids.value) AS returns,
  (SELECT MAX(at) FROM events WHERE shop_id = :shop_id AND order_id = ids.value AND kind = 'review.submitted')
    AS reviewed_at
FROM {json_texts}(:ids) AS ids
LEFT JOIN orders o ON o.shop_id = :shop_id AND o.order_id = ids.value
