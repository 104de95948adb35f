-- When each topic of a shop was last heard of: the inbox forgets, and to look for it there would cost a scan.
CREATE TABLE arrivals (
  shop_id TEXT NOT NULL,
  topic TEXT NOT NULL,
  at TEXT NOT NULL,
  PRIMARY KEY (shop_id, topic)
) {without_rowid};

-- The processes of the installation: each says now and then that it lives. One that ended well takes its row away.
CREATE TABLE processes (
  process_id TEXT PRIMARY KEY,
  role TEXT NOT NULL,
  host TEXT NOT NULL,
  version TEXT NOT NULL,
  started_at TEXT NOT NULL,
  seen_at TEXT NOT NULL
);

-- What is wrong with the installation and whether the operator was told: once, and again when it is solved.
-- `told_at` is NULL until then, `solved_at` is set while it is well again and that is still to be told.
CREATE TABLE alerts (
  check_name TEXT NOT NULL,
  subject TEXT NOT NULL,
  since TEXT NOT NULL,
  told_at TEXT,
  solved_at TEXT,
  PRIMARY KEY (check_name, subject)
) {without_rowid};

-- The trace a run belongs to, where the operator has traces on (W3C traceparent): its messages go on with it.
CREATE TABLE run_traces (
  shop_id TEXT NOT NULL,
  run_id TEXT NOT NULL,
  context TEXT NOT NULL,
  at TEXT NOT NULL,
  PRIMARY KEY (shop_id, run_id)
) {without_rowid};

-- What is left of events when they are forgotten: how many of each kind a day.
CREATE TABLE event_days (
  shop_id TEXT NOT NULL,
  day TEXT NOT NULL,
  kind TEXT NOT NULL,
  total INTEGER NOT NULL,
  PRIMARY KEY (shop_id, day, kind)
) {without_rowid};
