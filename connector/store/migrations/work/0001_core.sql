-- Text ids, UTC text times with microseconds, JSON and money as text, 0/1 for booleans.
-- Primary keys begin with the shop, so that the schema distributes by shop on a distributed PostgreSQL.

CREATE TABLE meta (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL,
  updated_at TEXT NOT NULL
);

CREATE TABLE shops (
  shop_id TEXT PRIMARY KEY,
  platform TEXT NOT NULL,
  domain TEXT NOT NULL,
  status TEXT NOT NULL,
  status_reason TEXT NOT NULL,
  snapshot TEXT NOT NULL,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  UNIQUE (platform, domain)
);

CREATE TABLE endpoints (
  endpoint_key TEXT PRIMARY KEY,
  platform TEXT NOT NULL,
  owner_id TEXT NOT NULL,
  shop_id TEXT,
  created_at TEXT NOT NULL
);

-- `owner_id` is a shop's id, or `app:<name>` for what belongs to the whole app. `value` is encrypted.
CREATE TABLE credentials (
  owner_id TEXT NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (owner_id, name)
);

-- How far the worker has read the inbox (SQLite; on PostgreSQL progress rows are written with the delivery).
CREATE TABLE inbox_cursor (
  name TEXT PRIMARY KEY,
  last_id BIGINT NOT NULL
);

-- `due_at` is when the delivery may be taken: its first or next try, or the end of the lease while it is leased.
CREATE TABLE delivery_progress (
  shop_id TEXT NOT NULL,
  delivery_id BIGINT NOT NULL,
  status TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  due_at TEXT NOT NULL,
  error_code TEXT NOT NULL DEFAULT '',
  error_text TEXT NOT NULL DEFAULT '',
  finished_at TEXT,
  PRIMARY KEY (shop_id, delivery_id)
) {without_rowid};
CREATE INDEX delivery_progress_due ON delivery_progress (due_at, delivery_id) WHERE status IN ('new', 'leased');
CREATE INDEX delivery_progress_failed ON delivery_progress (shop_id, delivery_id) WHERE status = 'failed';

CREATE TABLE events (
  shop_id TEXT NOT NULL,
  event_key TEXT NOT NULL,
  kind TEXT NOT NULL,
  subject_kind TEXT NOT NULL,
  subject_id TEXT NOT NULL,
  order_id TEXT,
  customer_id TEXT,
  at TEXT NOT NULL,
  recorded_at TEXT NOT NULL,
  delivery_id BIGINT,
  data TEXT NOT NULL,
  PRIMARY KEY (shop_id, event_key)
) {without_rowid};
CREATE INDEX events_by_order ON events (shop_id, order_id, at) WHERE order_id IS NOT NULL;

-- A deleted order that was never seen has no snapshot: its row keeps late older snapshots out.
CREATE TABLE orders (
  shop_id TEXT NOT NULL,
  order_id TEXT NOT NULL,
  number TEXT,
  email_key TEXT,
  customer_id TEXT,
  placed_at TEXT,
  updated_at TEXT NOT NULL,
  deleted INTEGER NOT NULL DEFAULT 0,
  snapshot TEXT,
  PRIMARY KEY (shop_id, order_id)
);
CREATE INDEX orders_by_email ON orders (shop_id, email_key, placed_at) WHERE email_key IS NOT NULL;
CREATE INDEX orders_by_number ON orders (shop_id, number) WHERE number IS NOT NULL;

CREATE TABLE customers (
  shop_id TEXT NOT NULL,
  customer_id TEXT NOT NULL,
  email_key TEXT,
  updated_at TEXT NOT NULL,
  deleted INTEGER NOT NULL DEFAULT 0,
  snapshot TEXT,
  PRIMARY KEY (shop_id, customer_id)
);
CREATE INDEX customers_by_email ON customers (shop_id, email_key) WHERE email_key IS NOT NULL;

CREATE TABLE products (
  shop_id TEXT NOT NULL,
  product_id TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  deleted INTEGER NOT NULL DEFAULT 0,
  snapshot TEXT,
  PRIMARY KEY (shop_id, product_id)
);

CREATE TABLE checkouts (
  shop_id TEXT NOT NULL,
  token TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  deleted INTEGER NOT NULL DEFAULT 0,
  snapshot TEXT,
  PRIMARY KEY (shop_id, token)
);

-- `status` moves by (rank, at) and never back; `status_at` is its last proof, `status_since` its first. A carrier's event
-- may make the row before the parcel is known: then `snapshot` is NULL.
CREATE TABLE shipments (
  shop_id TEXT NOT NULL,
  shipment_id TEXT NOT NULL,
  order_id TEXT NOT NULL,
  status TEXT NOT NULL,
  raw_status TEXT NOT NULL,
  status_rank INTEGER NOT NULL,
  status_at TEXT NOT NULL,
  status_since TEXT NOT NULL,
  snapshot_at TEXT NOT NULL,
  snapshot TEXT,
  PRIMARY KEY (shop_id, shipment_id)
);
CREATE INDEX shipments_by_order ON shipments (shop_id, order_id);

CREATE TABLE shipment_events (
  shop_id TEXT NOT NULL,
  shipment_event_id TEXT NOT NULL,
  shipment_id TEXT NOT NULL,
  order_id TEXT NOT NULL,
  status TEXT NOT NULL,
  at TEXT NOT NULL,
  snapshot TEXT NOT NULL,
  PRIMARY KEY (shop_id, shipment_event_id)
);
CREATE INDEX shipment_events_by_order ON shipment_events (shop_id, order_id);
CREATE INDEX shipment_events_by_shipment ON shipment_events (shop_id, shipment_id, status, at);

CREATE TABLE refunds (
  shop_id TEXT NOT NULL,
  refund_id TEXT NOT NULL,
  order_id TEXT NOT NULL,
  at TEXT NOT NULL,
  snapshot TEXT NOT NULL,
  PRIMARY KEY (shop_id, refund_id)
);
CREATE INDEX refunds_by_order ON refunds (shop_id, order_id);

CREATE TABLE returns (
  shop_id TEXT NOT NULL,
  return_id TEXT NOT NULL,
  order_id TEXT NOT NULL,
  at TEXT NOT NULL,
  snapshot TEXT NOT NULL,
  PRIMARY KEY (shop_id, return_id)
);
CREATE INDEX returns_by_order ON returns (shop_id, order_id);

-- Append-only. An entry without an address belongs to whoever the customer turns out to be.
CREATE TABLE consents (
  seq {seq},
  shop_id TEXT NOT NULL,
  address_key TEXT NOT NULL,
  customer_id TEXT NOT NULL,
  channel TEXT NOT NULL,
  purpose TEXT NOT NULL,
  state TEXT NOT NULL,
  raw_state TEXT NOT NULL,
  at TEXT NOT NULL,
  source TEXT NOT NULL,
  evidence TEXT NOT NULL,
  recorded_at TEXT NOT NULL,
  UNIQUE (shop_id, address_key, customer_id, channel, purpose, at, state)
  {postgres}, PRIMARY KEY (shop_id, seq)
);
CREATE INDEX consents_by_customer ON consents (shop_id, customer_id);

CREATE TABLE suppressions (
  shop_id TEXT NOT NULL,
  address_key TEXT NOT NULL,
  channel TEXT NOT NULL,
  scope TEXT NOT NULL,
  reason TEXT NOT NULL,
  at TEXT NOT NULL,
  PRIMARY KEY (shop_id, address_key, channel, scope)
) {without_rowid};

CREATE TABLE flow_versions (
  shop_id TEXT NOT NULL,
  flow_id TEXT NOT NULL,
  version TEXT NOT NULL,
  body TEXT NOT NULL,
  created_at TEXT NOT NULL,
  PRIMARY KEY (shop_id, flow_id, version)
);

CREATE TABLE runs (
  shop_id TEXT NOT NULL,
  run_id TEXT NOT NULL,
  flow_id TEXT NOT NULL,
  version TEXT NOT NULL,
  subject_kind TEXT NOT NULL,
  subject_id TEXT NOT NULL,
  entry_key TEXT NOT NULL,
  status TEXT NOT NULL,
  step INTEGER NOT NULL,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  order_id TEXT,
  customer_id TEXT,
  email_key TEXT,
  wake_at TEXT,
  awaiting TEXT NOT NULL,
  event TEXT NOT NULL,
  outcomes TEXT NOT NULL,
  acted INTEGER NOT NULL,
  reason TEXT NOT NULL,
  rev INTEGER NOT NULL,
  PRIMARY KEY (shop_id, run_id),
  UNIQUE (shop_id, flow_id, entry_key)
);
CREATE INDEX runs_due ON runs (wake_at) WHERE status IN ('ready', 'sleeping', 'awaiting') AND wake_at IS NOT NULL;
CREATE INDEX runs_by_order ON runs (shop_id, order_id) WHERE order_id IS NOT NULL;
CREATE INDEX runs_by_subject ON runs (shop_id, subject_id) WHERE subject_kind <> 'order';
CREATE INDEX runs_by_email ON runs (shop_id, email_key) WHERE email_key IS NOT NULL;
CREATE INDEX runs_by_customer ON runs (shop_id, customer_id) WHERE customer_id IS NOT NULL;

CREATE TABLE journal (
  seq {seq},
  shop_id TEXT NOT NULL,
  run_id TEXT NOT NULL,
  at TEXT NOT NULL,
  step_id TEXT NOT NULL,
  what TEXT NOT NULL,
  detail TEXT NOT NULL
  {postgres}, PRIMARY KEY (shop_id, seq)
);
CREATE INDEX journal_by_run ON journal (shop_id, run_id, seq);

-- `priority` 0: transactional, 1: everything else.
CREATE TABLE effects (
  shop_id TEXT NOT NULL,
  effect_id TEXT NOT NULL,
  run_id TEXT NOT NULL,
  flow_id TEXT NOT NULL,
  version TEXT NOT NULL,
  step_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  purpose TEXT NOT NULL,
  priority INTEGER NOT NULL,
  request TEXT NOT NULL,
  status TEXT NOT NULL,
  due_at TEXT NOT NULL,
  created_at TEXT NOT NULL,
  order_id TEXT,
  channel TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  tainted INTEGER NOT NULL,
  lease_until TEXT,
  first_try_at TEXT,
  done_at TEXT,
  recipient TEXT NOT NULL,
  recipient_key TEXT NOT NULL,
  sender TEXT NOT NULL,
  subject TEXT NOT NULL,
  provider_id TEXT NOT NULL,
  reason TEXT NOT NULL,
  result TEXT NOT NULL,
  PRIMARY KEY (shop_id, effect_id)
);
CREATE INDEX effects_due ON effects (priority, due_at) WHERE status = 'pending';
CREATE INDEX effects_leased ON effects (lease_until) WHERE status = 'sending';
CREATE INDEX effects_by_run ON effects (shop_id, run_id);
CREATE INDEX effects_by_order ON effects (shop_id, order_id) WHERE order_id IS NOT NULL;
CREATE INDEX effects_sent ON effects (shop_id, recipient_key, done_at) WHERE status = 'sent';

-- Frozen content apart from the row, so that settling an effect does not rewrite the message.
CREATE TABLE effect_contents (
  shop_id TEXT NOT NULL,
  effect_id TEXT NOT NULL,
  encoding INTEGER NOT NULL,
  content {blob} NOT NULL,
  PRIMARY KEY (shop_id, effect_id)
);

CREATE TABLE reviews (
  shop_id TEXT NOT NULL,
  review_id TEXT NOT NULL,
  order_id TEXT NOT NULL,
  product_id TEXT NOT NULL,
  rating INTEGER NOT NULL,
  title TEXT NOT NULL,
  body TEXT NOT NULL,
  author TEXT NOT NULL,
  email_key TEXT,
  created_at TEXT NOT NULL,
  platform_id TEXT NOT NULL,
  PRIMARY KEY (shop_id, review_id)
);
CREATE INDEX reviews_by_order ON reviews (shop_id, order_id);

CREATE TABLE referral_codes (
  shop_id TEXT NOT NULL,
  code_key TEXT NOT NULL,
  advocate_email_key TEXT NOT NULL,
  advocate_customer_id TEXT,
  order_id TEXT,
  run_id TEXT,
  created_at TEXT NOT NULL,
  PRIMARY KEY (shop_id, code_key)
);
CREATE INDEX referral_codes_by_advocate ON referral_codes (shop_id, advocate_email_key);

CREATE TABLE referrals (
  shop_id TEXT NOT NULL,
  referral_id TEXT NOT NULL,
  code_key TEXT NOT NULL,
  advocate_email_key TEXT NOT NULL,
  friend_email_key TEXT,
  friend_order_id TEXT NOT NULL,
  state TEXT NOT NULL,
  reason TEXT NOT NULL,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (shop_id, referral_id)
);
CREATE INDEX referrals_by_order ON referrals (shop_id, friend_order_id);
CREATE INDEX referrals_by_advocate ON referrals (shop_id, advocate_email_key);

CREATE TABLE links (
  shop_id TEXT NOT NULL,
  token TEXT NOT NULL,
  kind TEXT NOT NULL,
  data TEXT NOT NULL,
  created_at TEXT NOT NULL,
  PRIMARY KEY (shop_id, token)
);
CREATE INDEX links_by_token ON links (token);
