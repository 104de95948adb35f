-- What a restored database does not know of itself: who had said no, or could not be reached, since the copy, as the
-- list beside the send ledger told. `sealed_key` is the keyed hash of an address that this database has not met yet.
CREATE TABLE refused_before (
  shop_id TEXT NOT NULL,
  sealed_key TEXT NOT NULL,
  channel TEXT NOT NULL,
  scope TEXT NOT NULL,
  reason TEXT NOT NULL,
  at TEXT NOT NULL,
  PRIMARY KEY (shop_id, sealed_key, channel, scope)
) {without_rowid};
