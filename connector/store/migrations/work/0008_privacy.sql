-- A request to see or to forget a person or a shop: what was asked, by when it must be done, what was done. `subject`
-- names the person and is emptied when they are forgotten; what remains is the audit trail.
CREATE TABLE privacy_requests (
  shop_id TEXT NOT NULL,
  request_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  source TEXT NOT NULL,
  subject TEXT NOT NULL,
  subject_key TEXT NOT NULL,
  status TEXT NOT NULL,
  received_at TEXT NOT NULL,
  due_at TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  done_at TEXT,
  counts TEXT NOT NULL,
  note TEXT NOT NULL,
  PRIMARY KEY (shop_id, request_id)
);
CREATE INDEX privacy_requests_due ON privacy_requests (due_at) WHERE status IN ('open', 'erased');

-- What was gathered for the shop's owner to hand on; gone when it expires or the person is forgotten.
CREATE TABLE privacy_exports (
  shop_id TEXT NOT NULL,
  request_id TEXT NOT NULL,
  subject_key TEXT NOT NULL,
  expires_at TEXT NOT NULL,
  content {blob} NOT NULL,
  PRIMARY KEY (shop_id, request_id)
);
CREATE INDEX privacy_exports_expiry ON privacy_exports (expires_at);

-- Who looked at whose gathered data, without the data.
CREATE TABLE privacy_access (
  seq {seq},
  shop_id TEXT NOT NULL,
  request_id TEXT NOT NULL,
  at TEXT NOT NULL,
  route TEXT NOT NULL
  {postgres}, PRIMARY KEY (shop_id, seq)
);

-- Who was forgotten, as keyed hashes: enough to keep a late repetition from bringing them back, and to go on
-- honouring their objection; not enough to say who they are.
CREATE TABLE erasures (
  shop_id TEXT NOT NULL,
  erased_key TEXT NOT NULL,
  at TEXT NOT NULL,
  PRIMARY KEY (shop_id, erased_key)
) {without_rowid};
