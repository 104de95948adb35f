-- What is done for a shop again and again: its subscriptions, the poll, the nightly sweep, the back-fill.
-- `due_at` is when it may be taken, the end of the lease while it is leased, NULL when nothing is planned.
CREATE TABLE jobs (
  shop_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  due_at TEXT,
  lease TEXT NOT NULL,
  leased_until TEXT,
  attempts INTEGER NOT NULL,
  state TEXT NOT NULL,
  error_code TEXT NOT NULL,
  error_text TEXT NOT NULL,
  created_at TEXT NOT NULL,
  done_at TEXT,
  PRIMARY KEY (shop_id, kind)
) {without_rowid};
CREATE INDEX jobs_due ON jobs (due_at) WHERE due_at IS NOT NULL;

-- What a job found and put right, for people to read.
CREATE TABLE job_reports (
  seq {seq},
  shop_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  at TEXT NOT NULL,
  report TEXT NOT NULL
  {postgres}, PRIMARY KEY (shop_id, seq)
);
CREATE INDEX job_reports_by_shop ON job_reports (shop_id, kind, seq);

-- Objects read because of a change near the watermark: the overlap lists them again, and they need no second look.
CREATE TABLE change_reads (
  shop_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  object_id TEXT NOT NULL,
  changed_at TEXT NOT NULL,
  PRIMARY KEY (shop_id, kind, object_id)
) {without_rowid};

-- Orders that no webhook had told of when we found them. `via` is poll, sweep or backfill.
CREATE TABLE recoveries (
  shop_id TEXT NOT NULL,
  order_id TEXT NOT NULL,
  via TEXT NOT NULL,
  at TEXT NOT NULL,
  PRIMARY KEY (shop_id, order_id)
) {without_rowid};

CREATE INDEX orders_by_placed ON orders (shop_id, placed_at) WHERE placed_at IS NOT NULL;
