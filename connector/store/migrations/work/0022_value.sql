-- Whose an account of value is. Rows are only ever added: two names of one person may lead to the same accounts. An
-- erasure removes these rows, and what the books hold is then nobody's.
CREATE TABLE value_names (
  shop_id TEXT NOT NULL,
  owner TEXT NOT NULL,
  account TEXT NOT NULL,
  at TEXT NOT NULL,
  PRIMARY KEY (shop_id, owner, account)
) {without_rowid};
CREATE INDEX value_names_of_account ON value_names (shop_id, account);

-- What changes what somebody owns, as it was told; see connector.model.value.
CREATE TABLE value_facts (
  shop_id TEXT NOT NULL,
  fact_id TEXT NOT NULL,
  account TEXT NOT NULL,
  unit TEXT NOT NULL,
  kind TEXT NOT NULL,
  of_id TEXT NOT NULL,
  amount TEXT NOT NULL,
  at TEXT NOT NULL,
  cause TEXT NOT NULL,
  rule TEXT NOT NULL,
  version TEXT NOT NULL,
  reason TEXT NOT NULL,
  by_whom TEXT NOT NULL,
  parts TEXT NOT NULL,
  available_at TEXT,
  expires_at TEXT,
  recorded_at TEXT NOT NULL,
  PRIMARY KEY (shop_id, fact_id)
) {without_rowid};
CREATE INDEX value_facts_of_account ON value_facts (shop_id, account);
CREATE INDEX value_facts_of_cause ON value_facts (shop_id, cause);

-- The double entry that follows: `amount` from `debit` to `credit`.
CREATE TABLE value_entries (
  shop_id TEXT NOT NULL,
  entry_id TEXT NOT NULL,
  account TEXT NOT NULL,
  unit TEXT NOT NULL,
  lot TEXT NOT NULL,
  kind TEXT NOT NULL,
  debit TEXT NOT NULL,
  credit TEXT NOT NULL,
  amount TEXT NOT NULL,
  at TEXT NOT NULL,
  cause TEXT NOT NULL,
  rule TEXT NOT NULL,
  version TEXT NOT NULL,
  PRIMARY KEY (shop_id, entry_id)
) {without_rowid};
CREATE INDEX value_entries_of_account ON value_entries (shop_id, account);

-- What a person of the merchant's wrote beside an adjustment. Free text, so it can be erased; the books cannot.
CREATE TABLE value_notes (
  shop_id TEXT NOT NULL,
  fact_id TEXT NOT NULL,
  account TEXT NOT NULL,
  note TEXT NOT NULL,
  PRIMARY KEY (shop_id, fact_id)
) {without_rowid};

-- Shops whose books may be deleted in this very transaction, because the shop is wiped. Empty outside of one.
CREATE TABLE value_openings (shop_id TEXT NOT NULL PRIMARY KEY);

-- Facts and entries are never changed, by no code and by nobody at a prompt. (OR REPLACE: a plain CREATE TRIGGER would
-- end, for the tokenizer that splits migrations, only with END.)
{sqlite}CREATE TRIGGER value_facts_stay BEFORE UPDATE ON value_facts BEGIN SELECT RAISE(ABORT, 'the books are append-only'); END;
{sqlite}CREATE TRIGGER value_facts_last BEFORE DELETE ON value_facts WHEN NOT EXISTS (SELECT 1 FROM value_openings WHERE shop_id = OLD.shop_id) BEGIN SELECT RAISE(ABORT, 'the books are append-only'); END;
{sqlite}CREATE TRIGGER value_entries_stay BEFORE UPDATE ON value_entries BEGIN SELECT RAISE(ABORT, 'the books are append-only'); END;
{sqlite}CREATE TRIGGER value_entries_last BEFORE DELETE ON value_entries WHEN NOT EXISTS (SELECT 1 FROM value_openings WHERE shop_id = OLD.shop_id) BEGIN SELECT RAISE(ABORT, 'the books are append-only'); END;
{postgres}CREATE FUNCTION value_stays() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF TG_OP = ''DELETE'' AND EXISTS (SELECT 1 FROM value_openings WHERE shop_id = OLD.shop_id) THEN RETURN OLD; END IF; RAISE EXCEPTION ''the books are append-only''; END';
{postgres}CREATE OR REPLACE TRIGGER value_facts_stay BEFORE UPDATE OR DELETE ON value_facts FOR EACH ROW EXECUTE FUNCTION value_stays();
{postgres}CREATE OR REPLACE TRIGGER value_entries_stay BEFORE UPDATE OR DELETE ON value_entries FOR EACH ROW EXECUTE FUNCTION value_stays();

-- How somebody stands in the programme, and when time alone may change that. `state` is JSON of flows.value.
CREATE TABLE value_members (
  shop_id TEXT NOT NULL,
  account TEXT NOT NULL,
  look_at TEXT,
  state TEXT NOT NULL,
  PRIMARY KEY (shop_id, account)
) {without_rowid};
CREATE INDEX value_members_due ON value_members (look_at) WHERE look_at IS NOT NULL;

-- What was given in the platform: a code, store credit, a gift card. `state` is issued, used, voiding, voided or kept
-- (it was to be voided and had been used).
CREATE TABLE vouchers (
  shop_id TEXT NOT NULL,
  voucher_key TEXT NOT NULL,
  account TEXT NOT NULL,
  effect_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  worth TEXT NOT NULL,
  cause TEXT NOT NULL,
  platform_id TEXT NOT NULL,
  made_at TEXT NOT NULL,
  expires_at TEXT,
  state TEXT NOT NULL,
  used_order TEXT NOT NULL,
  used_at TEXT,
  reason TEXT NOT NULL,
  PRIMARY KEY (shop_id, voucher_key)
) {without_rowid};
CREATE INDEX vouchers_of_account ON vouchers (shop_id, account);
CREATE INDEX vouchers_of_cause ON vouchers (shop_id, cause);
CREATE INDEX vouchers_of_order ON vouchers (shop_id, used_order) WHERE used_order <> '';

-- Partner coupons from a list, and seats at an event: each goes to one person, and each person gets one of a list.
CREATE TABLE perk_coupons (
  shop_id TEXT NOT NULL,
  perk TEXT NOT NULL,
  code TEXT NOT NULL,
  place INTEGER NOT NULL,
  taken_by TEXT NOT NULL,
  taken_at TEXT,
  PRIMARY KEY (shop_id, perk, code)
) {without_rowid};
CREATE INDEX perk_coupons_free ON perk_coupons (shop_id, perk, place) WHERE taken_by = '';
CREATE UNIQUE INDEX perk_coupons_taken ON perk_coupons (shop_id, perk, taken_by) WHERE taken_by <> '';

-- The points that were there become grants, and what was taken back a fact of its own. An account is named after its
-- first entry. The books follow at the first look, which is due at once.
INSERT INTO value_names (shop_id, owner, account, at)
SELECT shop_id, owner, 'was/' || MIN(entry_id), MIN(at) FROM points GROUP BY shop_id, owner;
INSERT INTO value_facts (shop_id, fact_id, account, unit, kind, of_id, amount, at, cause, rule, version, reason, by_whom,
  parts, available_at, expires_at, recorded_at)
SELECT points.shop_id, points.entry_id, value_names.account, 'points', 'grant', '', CAST(points.points AS TEXT), points.at,
  CASE WHEN points.order_id IS NULL THEN 'flow' ELSE 'order/' || points.order_id END, 'grant', '', points.reason, '', '{{}}',
  points.at, points.expires_at, points.at
FROM points JOIN value_names ON value_names.shop_id = points.shop_id AND value_names.owner = points.owner
WHERE points.reverses IS NULL;
INSERT INTO value_facts (shop_id, fact_id, account, unit, kind, of_id, amount, at, cause, rule, version, reason, by_whom,
  parts, available_at, expires_at, recorded_at)
SELECT points.shop_id, points.entry_id, value_names.account, 'points', 'take_back', points.reverses,
  CAST(-points.points AS TEXT), points.at,
  CASE WHEN points.order_id IS NULL THEN 'flow' ELSE 'order/' || points.order_id END, 'grant', '', points.reason, '', '{{}}',
  NULL, NULL, points.at
FROM points JOIN value_names ON value_names.shop_id = points.shop_id AND value_names.owner = points.owner
WHERE points.reverses IS NOT NULL;
INSERT INTO value_members (shop_id, account, look_at, state)
SELECT shop_id, account, at, '{{}}' FROM value_names;
DROP TABLE points;
