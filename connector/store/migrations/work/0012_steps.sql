-- A field of ours on a person, as the step `set` last left it. `owner` is `customer/<id>` or, for a guest, `email/<key>`.
CREATE TABLE customer_fields (
  shop_id TEXT NOT NULL,
  owner TEXT NOT NULL,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  value TEXT NOT NULL,
  at TEXT NOT NULL,
  effect_id TEXT NOT NULL,
  PRIMARY KEY (shop_id, owner, name)
) {without_rowid};

-- Points given and taken back, never changed: `entry_id` is the effect's id, or that and `/reversed`.
CREATE TABLE points (
  shop_id TEXT NOT NULL,
  entry_id TEXT NOT NULL,
  owner TEXT NOT NULL,
  points INTEGER NOT NULL,
  reason TEXT NOT NULL,
  order_id TEXT,
  reverses TEXT,
  expires_at TEXT,
  at TEXT NOT NULL,
  PRIMARY KEY (shop_id, entry_id)
) {without_rowid};
CREATE INDEX points_by_owner ON points (shop_id, owner, at);

-- Runs that wait for a person's decision.
CREATE INDEX runs_tasks ON runs (shop_id, wake_at) WHERE status = 'awaiting' AND awaiting = '["task.decided"]';
