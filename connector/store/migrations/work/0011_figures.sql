-- What an order counts for in figures: JSON {{amount, currency, products}}, empty when it is no purchase, NULL when it was
-- stored before this column came (then the snapshot tells). Written with the snapshot, so it is never older or newer.
ALTER TABLE orders ADD COLUMN bought TEXT;
CREATE INDEX orders_by_account ON orders (shop_id, customer_id, placed_at)
  WHERE email_key IS NULL AND customer_id IS NOT NULL;

-- Where a person stands in the shop's segments: `name` is the address, or # and the account. `look_at` is when the next
-- look is due: at once after news, later where time alone changes something, NULL where nothing can. What was heard of
-- while the past was taken in is looked at quietly: it starts nothing.
CREATE TABLE standings (
  shop_id TEXT NOT NULL,
  name TEXT NOT NULL,
  email_key TEXT,
  customer_id TEXT,
  quiet INTEGER NOT NULL,
  look_at TEXT,
  looked_at TEXT,
  PRIMARY KEY (shop_id, name)
) {without_rowid};
CREATE INDEX standings_due ON standings (look_at) WHERE look_at IS NOT NULL;

CREATE TABLE segment_members (
  shop_id TEXT NOT NULL,
  segment TEXT NOT NULL,
  name TEXT NOT NULL,
  since TEXT NOT NULL,
  PRIMARY KEY (shop_id, segment, name)
) {without_rowid};
CREATE INDEX segment_members_by_name ON segment_members (shop_id, name);

-- What was counted over a shop's whole history: its quintiles, its repeat gap. `due_at` is the next count.
CREATE TABLE shop_figures (
  shop_id TEXT PRIMARY KEY,
  due_at TEXT NOT NULL,
  counted_at TEXT,
  figures TEXT NOT NULL,
  segments TEXT NOT NULL
);
CREATE INDEX shop_figures_due ON shop_figures (due_at);

-- The same of a product: how long it lasts, what is bought with it.
CREATE TABLE product_figures (
  shop_id TEXT NOT NULL,
  product_id TEXT NOT NULL,
  counted_at TEXT NOT NULL,
  figures TEXT NOT NULL,
  PRIMARY KEY (shop_id, product_id)
);
