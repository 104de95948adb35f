-- flow_save --
-- Immutable: a version is a hash of its body.
INSERT INTO flow_versions (shop_id, flow_id, version, body, created_at)
VALUES (:shop_id, :flow_id, :version, :body, :now)
ON CONFLICT (shop_id, flow_id, version) DO NOTHING

-- flow_get --
-- The body a run is pinned to.
SELECT body FROM flow_versions WHERE shop_id = :shop_id AND flow_id = :flow_id AND version = :version

-- flow_versions --
-- Newest first.
SELECT version FROM flow_versions WHERE shop_id = :shop_id AND flow_id = :flow_id ORDER BY created_at DESC, version

-- run_start --
-- Once per (flow, entry key).
INSERT INTO runs (shop_id, run_id, flow_id, version, subject_kind, subject_id, entry_key, status, step, created_at,
  updated_at, order_id, customer_id, email_key, wake_at, awaiting, event, outcomes, acted, reason, rev)
VALUES (:shop_id, :run_id, :flow_id, :version, :subject_kind, :subject_id, :entry_key, :status, :step, :created_at,
  :updated_at, :order_id, :customer_id, :email_key, :wake_at, :awaiting, :event, :outcomes, :acted, :reason, :rev)
ON CONFLICT DO NOTHING

-- run_save --
-- Compare and set by rev. Who and what the run is about never changes, so those indexes are left alone.
UPDATE runs SET status = :status, step = :step, updated_at = :updated_at, wake_at = :wake_at, awaiting = :awaiting,
  event = :event, outcomes = :outcomes, acted = :acted, reason = :reason, rev = rev + 1
WHERE shop_id = :shop_id AND run_id = :run_id AND rev = :rev

-- run_get --
-- One run.
SELECT * FROM runs WHERE shop_id = :shop_id AND run_id = :run_id

-- run_by_entry --
-- The run of a subject in a flow.
SELECT * FROM runs WHERE shop_id = :shop_id AND flow_id = :flow_id AND entry_key = :entry_key

-- run_latest_entries --
-- The newest entries of somebody or something into a flow, by its name or the person's address; refusals are none.
SELECT * FROM runs WHERE shop_id = :shop_id AND flow_id = :flow_id AND entry_key NOT LIKE 'refused/%'
  AND ((subject_kind = :subject_kind AND subject_id = :subject_id) OR email_key = :email_key)
ORDER BY created_at DESC, run_id DESC LIMIT 5

-- run_due --
-- Who wakes now. The condition repeats the partial index's own, or the index would not serve.
SELECT * FROM runs
WHERE status IN ('ready', 'sleeping', 'awaiting') AND wake_at IS NOT NULL AND wake_at <= :now
ORDER BY wake_at LIMIT :limit {skip_locked}

-- run_due_in --
-- The same of some flows, a JSON list of ids: in a crowd, those with news of orders go first.
SELECT * FROM runs
WHERE status IN ('ready', 'sleeping', 'awaiting') AND wake_at IS NOT NULL AND wake_at <= :now
  AND flow_id IN (SELECT value FROM {json_texts}(:flows))
ORDER BY wake_at LIMIT :limit {skip_locked}

-- run_due_of --
-- The same of one shop: its share of a batch.
SELECT * FROM runs
WHERE shop_id = :shop_id AND status IN ('ready', 'sleeping', 'awaiting') AND wake_at IS NOT NULL AND wake_at <= :now
ORDER BY wake_at LIMIT :limit {skip_locked}

-- run_due_shops --
-- Shops with somebody to wake, in order of their ids from one on: a step of the index for each that has sleepers.
SELECT shop_id FROM (
  WITH RECURSIVE waiting (shop_id) AS (
    SELECT MIN(shop_id) FROM runs WHERE status IN ('ready', 'sleeping', 'awaiting') AND wake_at IS NOT NULL AND shop_id > :after
    UNION ALL
    SELECT (SELECT MIN(shop_id) FROM runs
      WHERE status IN ('ready', 'sleeping', 'awaiting') AND wake_at IS NOT NULL AND shop_id > waiting.shop_id)
    FROM waiting WHERE waiting.shop_id IS NOT NULL
  )
  SELECT waiting.shop_id FROM waiting WHERE waiting.shop_id IS NOT NULL AND EXISTS (
    SELECT 1 FROM runs due WHERE due.shop_id = waiting.shop_id
      AND due.status IN ('ready', 'sleeping', 'awaiting') AND due.wake_at IS NOT NULL AND due.wake_at <= :now)
) shops LIMIT :limit

-- run_lease --
-- Handed out: due again when the lease ends. The rev is the attempt, so a message about an earlier one is stale.
UPDATE runs SET wake_at = :until, rev = rev + 1 WHERE shop_id = :shop_id AND run_id = :run_id AND rev = :rev

-- run_next_wake --
-- When the next run wakes.
SELECT MIN(wake_at) AS wake_at FROM runs WHERE status IN ('ready', 'sleeping', 'awaiting') AND wake_at IS NOT NULL

-- run_under_way --
-- How many runs of each flow have not ended, and of how many people they are.
SELECT shop_id, flow_id, COUNT(*) AS runs, COUNT(DISTINCT COALESCE(email_key, run_id)) AS people FROM runs
WHERE status IN ('ready', 'sleeping', 'awaiting', 'acting', 'other')
GROUP BY shop_id, flow_id ORDER BY shop_id, flow_id

-- run_active_of_flow --
-- A flow's runs that have not ended, some at a time.
SELECT * FROM runs WHERE shop_id = :shop_id AND flow_id = :flow_id
  AND status IN ('ready', 'sleeping', 'awaiting', 'acting', 'other') ORDER BY run_id LIMIT :limit

-- run_active_of_order --
-- Runs under way that concern an order, by whatever they are tied to it.
SELECT * FROM runs WHERE shop_id = :shop_id AND order_id = :order_id
  AND status IN ('ready', 'sleeping', 'awaiting', 'acting', 'other') ORDER BY created_at, run_id

-- run_active_of_subject --
-- Runs under way about another subject than an order.
SELECT * FROM runs WHERE shop_id = :shop_id AND subject_id = :subject_id AND subject_kind = :subject_kind
  AND subject_kind <> 'order' AND status IN ('ready', 'sleeping', 'awaiting', 'acting', 'other')
ORDER BY created_at, run_id

-- run_active_of_email --
-- Runs under way for an address.
SELECT * FROM runs WHERE shop_id = :shop_id AND email_key = :email_key
  AND status IN ('ready', 'sleeping', 'awaiting', 'acting', 'other') ORDER BY created_at, run_id

-- run_active_of_customer --
-- Runs under way for a customer.
SELECT * FROM runs WHERE shop_id = :shop_id AND customer_id = :customer_id
  AND status IN ('ready', 'sleeping', 'awaiting', 'acting', 'other') ORDER BY created_at, run_id

-- run_of_orders --
-- Every run of the orders of a JSON list.
SELECT * FROM runs WHERE shop_id = :shop_id AND order_id IN (SELECT value FROM {json_texts}(:ids))

-- run_of_ids --
-- Runs by a JSON list of ids.
SELECT * FROM runs WHERE shop_id = :shop_id AND run_id IN (SELECT value FROM {json_texts}(:ids))

-- run_of_order --
-- Every run of an order.
SELECT * FROM runs WHERE shop_id = :shop_id AND order_id = :order_id ORDER BY created_at, run_id

-- run_of_email --
-- Every run for an address.
SELECT * FROM runs WHERE shop_id = :shop_id AND email_key = :email_key ORDER BY created_at, run_id

-- run_of_shop --
-- Every run of a shop: rehearsals, which have few.
SELECT * FROM runs WHERE shop_id = :shop_id ORDER BY created_at, run_id

-- journal_put --
-- Append. The parameters' order is the fields of runs.JournalEntry.
INSERT INTO journal (shop_id, run_id, at, step_id, what, detail)
VALUES (:shop_id, :run_id, :at, :step_id, :what, :detail)

-- journal_of --
-- A run's diary.
SELECT seq, at, step_id, what, detail FROM journal WHERE shop_id = :shop_id AND run_id = :run_id ORDER BY seq
