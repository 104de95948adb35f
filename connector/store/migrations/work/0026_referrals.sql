-- How an order was found to be a referral and why it waits; the reward it was promised when it came, and in which month it
-- counts; who decided about it.
ALTER TABLE referrals ADD COLUMN way TEXT NOT NULL DEFAULT '';
ALTER TABLE referrals ADD COLUMN evidence TEXT NOT NULL DEFAULT '';
ALTER TABLE referrals ADD COLUMN signs TEXT NOT NULL DEFAULT '';
ALTER TABLE referrals ADD COLUMN friend_hash TEXT NOT NULL DEFAULT '';
ALTER TABLE referrals ADD COLUMN opens_at TEXT;
ALTER TABLE referrals ADD COLUMN reward TEXT NOT NULL DEFAULT '';
ALTER TABLE referrals ADD COLUMN month TEXT NOT NULL DEFAULT '';
ALTER TABLE referrals ADD COLUMN decided_by TEXT NOT NULL DEFAULT '';
ALTER TABLE referrals ADD COLUMN decided_at TEXT;
ALTER TABLE referrals ADD COLUMN note TEXT NOT NULL DEFAULT '';
CREATE INDEX referrals_in_review ON referrals (shop_id, created_at) WHERE state = 'review';
CREATE INDEX referrals_by_month ON referrals (shop_id, month) WHERE month <> '';
CREATE INDEX referrals_by_friend ON referrals (shop_id, friend_hash) WHERE friend_hash <> '';
-- A friend counts once: of two orders at one moment only one can be the first. The friend is a keyed hash.
CREATE TABLE referral_friends (
  shop_id TEXT NOT NULL,
  friend_hash TEXT NOT NULL,
  referral_id TEXT NOT NULL,
  PRIMARY KEY (shop_id, friend_hash)
) {without_rowid};
-- A friend went from the page to the shop: what an order may be known by again. `place` and `device` are keyed hashes.
CREATE TABLE referral_visits (
  shop_id TEXT NOT NULL,
  visit TEXT NOT NULL,
  code_key TEXT NOT NULL,
  friend_email_key TEXT,
  friend_hash TEXT NOT NULL,
  place TEXT NOT NULL,
  device TEXT NOT NULL,
  order_id TEXT NOT NULL,
  at TEXT NOT NULL,
  PRIMARY KEY (shop_id, visit)
) {without_rowid};
CREATE INDEX referral_visits_by_friend ON referral_visits (shop_id, friend_hash, at) WHERE friend_hash <> '';
CREATE INDEX referral_visits_by_place ON referral_visits (shop_id, place) WHERE place <> '';
CREATE INDEX referral_visits_by_device ON referral_visits (shop_id, device) WHERE device <> '';
CREATE INDEX referral_visits_by_time ON referral_visits (at);
-- The name an advocate lets the leaderboard show; no row, no name.
CREATE TABLE referral_names (
  shop_id TEXT NOT NULL,
  advocate_email_key TEXT NOT NULL,
  name TEXT NOT NULL,
  at TEXT NOT NULL,
  PRIMARY KEY (shop_id, advocate_email_key)
) {without_rowid};
