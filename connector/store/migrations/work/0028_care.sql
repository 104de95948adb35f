-- What was asked of whom, and what they answered: a row a question, put when its message is frozen.
CREATE TABLE survey_asks (
  shop_id TEXT NOT NULL,
  ask_id TEXT NOT NULL,
  survey TEXT NOT NULL,
  kind TEXT NOT NULL,
  flow_id TEXT NOT NULL,
  order_id TEXT NOT NULL,
  email_key TEXT NOT NULL,
  customer_id TEXT NOT NULL,
  asked_at TEXT NOT NULL,
  score INTEGER,
  band TEXT NOT NULL,
  comment TEXT NOT NULL,
  answered_at TEXT,
  revised_at TEXT,
  revisions INTEGER NOT NULL,
  PRIMARY KEY (shop_id, ask_id)
) {without_rowid};
CREATE INDEX survey_asks_of_address ON survey_asks (shop_id, email_key);
CREATE INDEX survey_asks_of_customer ON survey_asks (shop_id, customer_id);
CREATE INDEX survey_asks_by_time ON survey_asks (shop_id, asked_at);

-- Why somebody hears no advertising for a while: a low score, an open case. `preferences` has what follows for policy.
CREATE TABLE care_holds (
  shop_id TEXT NOT NULL,
  hold_id TEXT NOT NULL,
  address_key TEXT NOT NULL,
  reason TEXT NOT NULL,
  order_id TEXT NOT NULL,
  since TEXT NOT NULL,
  until TEXT NOT NULL,
  ended_at TEXT,
  ended_by TEXT NOT NULL,
  PRIMARY KEY (shop_id, hold_id, address_key)
) {without_rowid};
CREATE INDEX care_holds_of_address ON care_holds (shop_id, address_key);
ALTER TABLE preferences ADD COLUMN care_until TEXT;
ALTER TABLE preferences ADD COLUMN care_reason TEXT;

-- Returns and complaints, as customers told them, with the order at hand.
CREATE TABLE cases (
  shop_id TEXT NOT NULL,
  case_id TEXT NOT NULL,
  order_id TEXT NOT NULL,
  email_key TEXT NOT NULL,
  customer_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  state TEXT NOT NULL,
  lines TEXT NOT NULL,
  reason TEXT NOT NULL,
  wish TEXT NOT NULL,
  body TEXT NOT NULL,
  locale TEXT NOT NULL,
  opened_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  answered_at TEXT,
  platform_id TEXT NOT NULL,
  PRIMARY KEY (shop_id, case_id)
) {without_rowid};
CREATE INDEX cases_of_order ON cases (shop_id, order_id);
CREATE INDEX cases_open ON cases (shop_id, opened_at) WHERE state IN ('received', 'accepted', 'arrived');

-- What became of a case, in order, and who did it.
CREATE TABLE case_entries (
  shop_id TEXT NOT NULL,
  case_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  at TEXT NOT NULL,
  what TEXT NOT NULL,
  by_whom TEXT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (shop_id, case_id, seq)
) {without_rowid};
