-- Credentials that lapse: who is renewing them now, when they are renewed next although nobody needs them, and since
-- when the platform refuses them. The credentials themselves stay in `credentials`.
CREATE TABLE renewals (
  shop_id TEXT PRIMARY KEY,
  lease_by TEXT NOT NULL DEFAULT '',
  lease_until TEXT,
  renewed_at TEXT,
  keep_at TEXT,
  refused_at TEXT,
  refused_what TEXT NOT NULL DEFAULT '',
  tried_at TEXT
);
CREATE INDEX renewals_keep ON renewals (keep_at) WHERE keep_at IS NOT NULL;

-- What a merchant must be told, once. `due_at` is the next try, or the end of the lease while it is being sent.
CREATE TABLE notices (
  shop_id TEXT NOT NULL,
  notice_key TEXT NOT NULL,
  kind TEXT NOT NULL,
  status TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  created_at TEXT NOT NULL,
  due_at TEXT NOT NULL,
  reason TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (shop_id, notice_key)
) {without_rowid};
CREATE INDEX notices_due ON notices (due_at) WHERE status = 'pending';
