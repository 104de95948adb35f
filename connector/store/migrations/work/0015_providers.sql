-- How a provider's account is used by all workers together. Times are text, as everywhere; '' is none.
-- `full_until` is when the account would be used up to its rate (GCRA's theoretical arrival time); `first_slot` and
-- `later_slot` are the last moments given to order mail and to the rest that had to wait.
CREATE TABLE provider_accounts (
  account TEXT PRIMARY KEY,
  full_until TEXT NOT NULL,
  first_slot TEXT NOT NULL,
  later_slot TEXT NOT NULL,
  blocked_until TEXT NOT NULL,
  reason TEXT NOT NULL
) {without_rowid};

-- Providers that fail for a shop: open until a moment, then one message tries.
CREATE TABLE provider_breakers (
  shop_id TEXT NOT NULL,
  provider TEXT NOT NULL,
  failures INTEGER NOT NULL,
  open_until TEXT NOT NULL,
  trying_until TEXT NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (shop_id, provider)
) {without_rowid};

-- By which provider an effect went last, where that is no matter of course, and how often its outcome was unknown.
CREATE TABLE effect_ways (
  shop_id TEXT NOT NULL,
  effect_id TEXT NOT NULL,
  provider TEXT NOT NULL,
  doubts INTEGER NOT NULL,
  PRIMARY KEY (shop_id, effect_id)
) {without_rowid};
INSERT INTO effect_ways (shop_id, effect_id, provider, doubts)
SELECT shop_id, effect_id, '', 1 FROM effects WHERE tainted = 1 AND kind = 'message' AND status IN ('pending', 'sending');
