-- applied_put --
-- Another state of a shop.
INSERT INTO applied_states (shop_id, state, at, who, what, note, plan, part, flows, changes)
VALUES (:shop_id, :state, :at, :who, :what, :note, :plan, :part, :flows, :changes)

-- applied_newest --
-- What runs in each shop.
SELECT a.* FROM applied_states a
JOIN (SELECT shop_id, MAX(state) AS state FROM applied_states GROUP BY shop_id) n
  ON n.shop_id = a.shop_id AND n.state = a.state
ORDER BY a.shop_id

-- applied_of_shop --
-- A shop's states, newest first.
SELECT * FROM applied_states WHERE shop_id = :shop_id ORDER BY state DESC LIMIT :limit

-- applied_get --
-- One state.
SELECT * FROM applied_states WHERE shop_id = :shop_id AND state = :state

-- run_positions --
-- Where a shop's people in flight stand, by flow and version, but for those on versions that are to be passed over.
SELECT flow_id, version, step, status, COUNT(*) AS runs, COUNT(DISTINCT COALESCE(email_key, run_id)) AS people FROM runs
WHERE shop_id = :shop_id AND version NOT IN (SELECT value FROM {json_texts}(:but)) AND status IN ('ready', 'sleeping', 'awaiting', 'acting', 'other')
GROUP BY flow_id, version, step, status ORDER BY flow_id, version, step, status

-- run_on_other_versions --
-- A flow's people in flight on any version but one, a page at a time.
SELECT * FROM runs WHERE shop_id = :shop_id AND flow_id = :flow_id AND version <> :version AND run_id > :after_run
  AND status IN ('ready', 'sleeping', 'awaiting', 'acting', 'other') ORDER BY run_id LIMIT :limit

-- run_migrate --
-- Compare and set by rev: the run goes on in another version of its flow.
UPDATE runs SET version = :version, status = :status, step = :step, updated_at = :updated_at, wake_at = :wake_at,
  awaiting = :awaiting, reason = :reason, rev = rev + 1
WHERE shop_id = :shop_id AND run_id = :run_id AND rev = :rev
