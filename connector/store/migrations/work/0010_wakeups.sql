-- What becomes an event when its time comes: a birthday, an anniversary, a day of the calendar, a silence. One row for
-- what a flow waits for (an order, a line of one, a person, a cart); `due_at` is when to look, `moment` the intended
-- time, `origin` what it is counted from. A row that fired and may still be moved has no `due_at`.
-- `trigger_key` is the trigger it was made for: rows of an edited trigger are no longer true.
CREATE TABLE wakeups (
  shop_id TEXT NOT NULL,
  flow_id TEXT NOT NULL,
  subject_kind TEXT NOT NULL,
  subject_id TEXT NOT NULL,
  trigger_key TEXT NOT NULL,
  due_at TEXT,
  moment TEXT NOT NULL,
  origin TEXT NOT NULL,
  fired_at TEXT,
  order_id TEXT,
  customer_id TEXT,
  email_key TEXT,
  PRIMARY KEY (shop_id, flow_id, subject_kind, subject_id)
) {without_rowid};
CREATE INDEX wakeups_due ON wakeups (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX wakeups_by_order ON wakeups (shop_id, order_id) WHERE order_id IS NOT NULL;
CREATE INDEX wakeups_by_customer ON wakeups (shop_id, customer_id) WHERE customer_id IS NOT NULL;
CREATE INDEX wakeups_by_email ON wakeups (shop_id, email_key) WHERE email_key IS NOT NULL;

-- How far the wake-ups of a flow's trigger have been made for what was known before it was switched on (`arming`), or
-- taken away after it was switched off (`removing`); `done` when nothing is left to do. `source` and `after_id` say
-- where the next slice begins.
CREATE TABLE armings (
  shop_id TEXT NOT NULL,
  flow_id TEXT NOT NULL,
  trigger_key TEXT NOT NULL,
  state TEXT NOT NULL,
  source TEXT NOT NULL,
  after_id TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (shop_id, flow_id)
) {without_rowid};
CREATE INDEX armings_open ON armings (updated_at) WHERE state <> 'done';
