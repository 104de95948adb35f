-- The books as single points again: grants and what was taken back, under one of the account's names. Spending, money and
-- everything else the older Kiitos has no place for is lost.
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
INSERT INTO points (shop_id, entry_id, owner, points, reason, order_id, reverses, expires_at, at)
SELECT f.shop_id, f.fact_id, n.owner,
  CASE WHEN f.kind = 'take_back' THEN -1 ELSE 1 END * CAST(CAST(f.amount AS NUMERIC) AS INTEGER), f.reason,
  CASE WHEN substr(f.cause, 1, 6) = 'order/' THEN substr(f.cause, 7) END,
  CASE WHEN f.kind = 'take_back' THEN f.of_id END, f.expires_at, f.at
FROM value_facts f
JOIN (SELECT shop_id, account, MIN(owner) AS owner FROM value_names GROUP BY shop_id, account) n
  ON n.shop_id = f.shop_id AND n.account = f.account
WHERE f.unit = 'points' AND f.kind IN ('grant', 'take_back');
DROP TABLE value_names;
DROP TABLE value_facts;
DROP TABLE value_entries;
DROP TABLE value_notes;
DROP TABLE value_openings;
DROP TABLE value_members;
DROP TABLE vouchers;
DROP TABLE perk_coupons;
{postgres}DROP FUNCTION value_stays();
