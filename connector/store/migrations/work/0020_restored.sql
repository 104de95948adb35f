-- What a restored database does not know of itself: what had left before, as the send ledger told. `sent_key` is a keyed
-- hash of (shop, flow, entry, step), so that it is found again under a run that began anew; `fate`: sent, doubt.
CREATE TABLE sent_before (
  shop_id TEXT NOT NULL,
  sent_key TEXT NOT NULL,
  fate TEXT NOT NULL,
  at TEXT NOT NULL,
  met_at TEXT,
  PRIMARY KEY (shop_id, sent_key)
) {without_rowid};
