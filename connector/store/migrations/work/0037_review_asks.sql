-- Which products somebody was asked to review: a row a message and product, put when the message is frozen. With another
-- order they are not asked about again for a while.
CREATE TABLE review_asks (
  shop_id TEXT NOT NULL,
  ask_id TEXT NOT NULL,
  product_id TEXT NOT NULL,
  order_id TEXT NOT NULL,
  email_key TEXT NOT NULL,
  customer_id TEXT NOT NULL,
  asked_at TEXT NOT NULL,
  PRIMARY KEY (shop_id, ask_id, product_id)
) {without_rowid};
CREATE INDEX review_asks_of_address ON review_asks (shop_id, email_key, asked_at);
CREATE INDEX review_asks_of_customer ON review_asks (shop_id, customer_id, asked_at);
