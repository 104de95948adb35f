-- What was delivered last, newest first: from it the page of an order says when a parcel may come.
CREATE INDEX shipments_arrived ON shipments (shop_id, status_since) WHERE status = 'delivered';

-- Who took which people out for an advertising platform, when, and on which ground.
CREATE TABLE audience_exports (
  shop_id TEXT NOT NULL,
  export_id TEXT NOT NULL,
  at TEXT NOT NULL,
  platform TEXT NOT NULL,
  segment TEXT NOT NULL,
  by_whom TEXT NOT NULL,
  ground TEXT NOT NULL,
  people INTEGER NOT NULL,
  removed INTEGER NOT NULL,
  left_out TEXT NOT NULL,
  PRIMARY KEY (shop_id, export_id)
);
CREATE INDEX audience_exports_by_time ON audience_exports (shop_id, at);

-- Who is on such a platform now, and who has to go: `member` is the digest the platform holds. `name` goes with an
-- erasure; the digest stays until the platform was told to forget it too.
CREATE TABLE audience_members (
  shop_id TEXT NOT NULL,
  platform TEXT NOT NULL,
  segment TEXT NOT NULL,
  member TEXT NOT NULL,
  phone TEXT NOT NULL,
  name TEXT,
  since TEXT NOT NULL,
  gone_at TEXT,
  PRIMARY KEY (shop_id, platform, segment, member)
);
CREATE INDEX audience_members_by_name ON audience_members (shop_id, name) WHERE name IS NOT NULL;
