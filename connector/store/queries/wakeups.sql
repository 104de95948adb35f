-- wakeup_put --
-- One row for what a flow waits for, moved as often as its moment moves.
INSERT INTO wakeups (shop_id, flow_id, subject_kind, subject_id, trigger_key, due_at, moment, origin, fired_at,
  order_id, customer_id, email_key)
VALUES (:shop_id, :flow_id, :subject_kind, :subject_id, :trigger_key, :due_at, :moment, :origin, :fired_at,
  :order_id, :customer_id, :email_key)
ON CONFLICT (shop_id, flow_id, subject_kind, subject_id) DO UPDATE SET trigger_key = excluded.trigger_key,
  due_at = excluded.due_at, moment = excluded.moment, origin = excluded.origin, fired_at = excluded.fired_at,
  order_id = excluded.order_id, customer_id = excluded.customer_id, email_key = excluded.email_key

-- wakeup_move --
-- The same where the origin only moves on: two transactions may hear of two orders of one person at once.
INSERT INTO wakeups (shop_id, flow_id, subject_kind, subject_id, trigger_key, due_at, moment, origin, fired_at,
  order_id, customer_id, email_key)
VALUES (:shop_id, :flow_id, :subject_kind, :subject_id, :trigger_key, :due_at, :moment, :origin, :fired_at,
  :order_id, :customer_id, :email_key)
ON CONFLICT (shop_id, flow_id, subject_kind, subject_id) DO UPDATE SET trigger_key = excluded.trigger_key,
  due_at = excluded.due_at, moment = excluded.moment, origin = excluded.origin, fired_at = excluded.fired_at,
  order_id = excluded.order_id, customer_id = excluded.customer_id, email_key = excluded.email_key
WHERE excluded.origin >= wakeups.origin OR excluded.trigger_key <> wakeups.trigger_key

-- wakeup_get --
-- What a flow waits for, as it stands.
SELECT * FROM wakeups WHERE shop_id = :shop_id AND flow_id = :flow_id
  AND subject_kind = :subject_kind AND subject_id = :subject_id

-- wakeup_due --
-- Whose time has come. The condition repeats the partial index's own, or the index would not serve.
SELECT * FROM wakeups WHERE due_at IS NOT NULL AND due_at <= :now ORDER BY due_at LIMIT :limit {skip_locked}

-- wakeup_next_due --
-- When the next one comes.
SELECT MIN(due_at) AS due_at FROM wakeups WHERE due_at IS NOT NULL

-- wakeup_defer --
-- Look again later; what was intended stays.
UPDATE wakeups SET due_at = :due_at WHERE shop_id = :shop_id AND flow_id = :flow_id
  AND subject_kind = :subject_kind AND subject_id = :subject_id

-- wakeup_drop --
-- There is nothing left to wait for.
DELETE FROM wakeups WHERE shop_id = :shop_id AND flow_id = :flow_id
  AND subject_kind = :subject_kind AND subject_id = :subject_id

-- wakeup_of_order --
-- What flows wait for because of an order.
SELECT * FROM wakeups WHERE shop_id = :shop_id AND order_id = :order_id ORDER BY flow_id, subject_kind, subject_id

-- wakeup_of_person --
-- What flows wait for because of somebody.
SELECT * FROM wakeups WHERE shop_id = :shop_id AND (email_key = :email_key OR customer_id = :customer_id)
ORDER BY flow_id, subject_kind, subject_id

-- wakeup_drop_customer --
-- The account is gone.
DELETE FROM wakeups WHERE shop_id = :shop_id AND customer_id = :customer_id AND subject_kind = 'customer'

-- wakeup_drop_flow --
-- Of a flow that no longer waits, some at a time.
DELETE FROM wakeups WHERE shop_id = :shop_id AND flow_id = :flow_id AND (subject_kind, subject_id) IN (
  SELECT subject_kind, subject_id FROM wakeups WHERE shop_id = :shop_id AND flow_id = :flow_id LIMIT :limit)

-- wakeup_drop_stale --
-- Of a flow, those an earlier trigger of it left, some at a time.
DELETE FROM wakeups WHERE shop_id = :shop_id AND flow_id = :flow_id AND (subject_kind, subject_id) IN (
  SELECT subject_kind, subject_id FROM wakeups
  WHERE shop_id = :shop_id AND flow_id = :flow_id AND trigger_key <> :trigger_key LIMIT :limit)

-- wakeup_count --
-- How many a flow waits for.
SELECT COUNT(*) AS rows FROM wakeups WHERE shop_id = :shop_id AND flow_id = :flow_id AND due_at IS NOT NULL

-- arming_all --
-- Every flow that has or had wake-ups.
SELECT * FROM armings ORDER BY shop_id, flow_id

-- arming_put --
-- Begin making (or taking away) the wake-ups of a flow.
INSERT INTO armings (shop_id, flow_id, trigger_key, state, source, after_id, updated_at)
VALUES (:shop_id, :flow_id, :trigger_key, :state, :source, :after_id, :now)
ON CONFLICT (shop_id, flow_id) DO UPDATE SET trigger_key = excluded.trigger_key, state = excluded.state,
  source = excluded.source, after_id = excluded.after_id, updated_at = excluded.updated_at

-- arming_open --
-- The one that has waited longest for its next slice.
SELECT * FROM armings WHERE state <> 'done' ORDER BY updated_at, shop_id, flow_id LIMIT 1 {skip_locked}

-- arming_drop --
-- Its flow is switched off and its wake-ups are gone.
DELETE FROM armings WHERE shop_id = :shop_id AND flow_id = :flow_id

-- arming_orders --
-- A page of orders by id.
SELECT order_id AS id FROM orders
WHERE shop_id = :shop_id AND order_id > :after_id AND deleted = 0 AND snapshot IS NOT NULL
ORDER BY order_id LIMIT :limit

-- arming_customers --
-- A page of accounts by id.
SELECT customer_id AS id FROM customers
WHERE shop_id = :shop_id AND customer_id > :after_id AND deleted = 0 AND snapshot IS NOT NULL
ORDER BY customer_id LIMIT :limit

-- arming_checkouts --
-- A page of carts by token.
SELECT token AS id FROM checkouts
WHERE shop_id = :shop_id AND token > :after_id AND deleted = 0 AND snapshot IS NOT NULL
ORDER BY token LIMIT :limit

-- arming_events --
-- A page of events by key, of the kinds of a JSON list or not: a page must end somewhere.
SELECT event_key AS id, kind, subject_kind, subject_id, order_id, customer_id, at FROM events
WHERE shop_id = :shop_id AND event_key > :after_id ORDER BY event_key LIMIT :limit
