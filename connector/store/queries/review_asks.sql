-- review_ask --
-- A product that a message asks about.
INSERT INTO review_asks (shop_id, ask_id, product_id, order_id, email_key, customer_id, asked_at)
VALUES (:shop_id, :ask_id, :product_id, :order_id, :email_key, :customer_id, :now)

-- review_unask --
-- The message never left, or is made anew.
DELETE FROM review_asks WHERE shop_id = :shop_id AND ask_id = :ask_id

-- review_asked --
-- What a person was asked about with other orders, under any of their names.
SELECT product_id, asked_at FROM review_asks
WHERE shop_id = :shop_id AND email_key IN (SELECT value FROM {json_texts}(:emails)) AND asked_at > :since
  AND order_id <> :order_id
UNION
SELECT product_id, asked_at FROM review_asks
WHERE shop_id = :shop_id AND customer_id IN (SELECT value FROM {json_texts}(:customers)) AND asked_at > :since
  AND order_id <> :order_id

-- review_names --
-- The accounts of some addresses, and the addresses of some accounts.
SELECT customer_id, email_key FROM customers
WHERE shop_id = :shop_id AND email_key IN (SELECT value FROM {json_texts}(:emails)) AND email_key IS NOT NULL
  AND deleted = 0
UNION
SELECT customer_id, email_key FROM customers
WHERE shop_id = :shop_id AND customer_id IN (SELECT value FROM {json_texts}(:customers)) AND deleted = 0

-- person_review_asks --
-- What they were asked to review.
SELECT * FROM review_asks WHERE shop_id = :shop_id AND (
  order_id IN (SELECT value FROM {json_texts}(:orders)) OR email_key IN (SELECT value FROM {json_texts}(:emails))
  OR customer_id IN (SELECT value FROM {json_texts}(:customers)))

-- erase_review_asks --
-- Whole rows: the message's id names the run.
DELETE FROM review_asks WHERE shop_id = :shop_id AND (
  order_id IN (SELECT value FROM {json_texts}(:orders)) OR email_key IN (SELECT value FROM {json_texts}(:emails))
  OR customer_id IN (SELECT value FROM {json_texts}(:customers)))

-- wipe_review_asks --
-- Of one shop.
DELETE FROM review_asks WHERE shop_id = :shop_id AND (ask_id, product_id) IN (
  SELECT ask_id, product_id FROM review_asks WHERE shop_id = :shop_id LIMIT :limit)
