-- watch_deliveries --
-- What came and is not taken in, by shop; the oldest by its id, because PostgreSQL admits it as due since ever.
SELECT shop_id, COUNT(*) AS total, MIN(delivery_id) AS oldest_id FROM delivery_progress
WHERE status IN ('new', 'leased') AND due_at <= :now GROUP BY shop_id

-- inbox_waiting --
-- What the worker has not read yet, by shop (SQLite; on PostgreSQL each has its place in the queue at once).
SELECT shop_id, COUNT(*) AS total, MIN(received_at) AS oldest FROM inbox WHERE id > :after_id GROUP BY shop_id

-- inbox_received --
-- When deliveries came, by a JSON list of ids.
SELECT id, received_at FROM inbox WHERE id IN (SELECT CAST(value AS BIGINT) FROM {json_texts}(:ids))

-- inbox_topics --
-- The last of each topic among what came after an id.
SELECT shop_id, topic, MAX(received_at) AS at, MAX(id) AS last_id FROM inbox
WHERE id > :after_id AND id <= :upto_id GROUP BY shop_id, topic

-- watch_effects --
-- What is due and not begun, by shop and kind.
SELECT shop_id, kind, COUNT(*) AS total, MIN(due_at) AS oldest FROM effects
WHERE status = 'pending' AND priority IN (0, 1) AND due_at <= :now GROUP BY shop_id, kind

-- watch_runs --
-- Runs whose time has come, by shop.
SELECT shop_id, COUNT(*) AS total, MIN(wake_at) AS oldest FROM runs
WHERE status IN ('ready', 'sleeping', 'awaiting') AND wake_at IS NOT NULL AND wake_at <= :now GROUP BY shop_id

-- watch_wakeups --
-- Wake-ups whose time has come, by shop.
SELECT shop_id, COUNT(*) AS total, MIN(due_at) AS oldest FROM wakeups
WHERE due_at IS NOT NULL AND due_at <= :now GROUP BY shop_id

-- watch_leases --
-- What was begun and whose lease ended before a time: nobody took it up again.
SELECT shop_id, COUNT(*) AS total, MIN(lease_until) AS oldest FROM effects
WHERE status = 'sending' AND lease_until <= :before GROUP BY shop_id

-- watch_troubled --
-- What waits for a person, by shop.
SELECT shop_id, status, COUNT(*) AS total, MIN(created_at) AS oldest FROM effects
WHERE status IN ('failed', 'uncertain') GROUP BY shop_id, status

-- watch_held --
-- What limits hold, by shop and flow.
SELECT shop_id, flow_id, COUNT(*) AS total, MIN(created_at) AS oldest FROM effects
WHERE status = 'held' GROUP BY shop_id, flow_id

-- watch_dead --
-- Dead letters and deliveries that are kept and not acted on, by shop.
SELECT shop_id, status, COUNT(*) AS total, MIN(delivery_id) AS oldest_id FROM delivery_progress
WHERE status = 'failed' GROUP BY shop_id, status
UNION ALL
SELECT shop_id, status, COUNT(*) AS total, MIN(delivery_id) AS oldest_id FROM delivery_progress
WHERE status = 'quarantined' GROUP BY shop_id, status

-- watch_breakers --
-- Providers that fail for a shop just now.
SELECT shop_id, provider, failures, open_until, reason FROM provider_breakers WHERE open_until > :now

-- watch_accounts --
-- Provider accounts nobody may use just now.
SELECT account, blocked_until, reason FROM provider_accounts WHERE blocked_until > :now

-- watch_jobs --
-- What is done for shops again and again and failed the last time.
SELECT shop_id, kind, attempts, error_code FROM jobs WHERE error_code <> '' AND attempts > 0

-- watch_suppressed --
-- Addresses nobody writes to any more, by shop and reason.
SELECT shop_id, reason, COUNT(*) AS total FROM suppressions GROUP BY shop_id, reason

-- watch_people --
-- How many people each shop knows.
SELECT shop_id, COUNT(*) AS total FROM customers GROUP BY shop_id

-- watch_privacy --
-- Requests that should have been done long ago.
SELECT shop_id, COUNT(*) AS total, MIN(received_at) AS oldest FROM privacy_requests
WHERE status IN ('open', 'erased') AND received_at <= :before GROUP BY shop_id

-- watch_size (sqlite) --
-- The bytes of the database itself.
SELECT page_count * page_size AS bytes FROM pragma_page_count(), pragma_page_size()

-- watch_size (postgres) --
-- The bytes of the database itself.
SELECT pg_database_size(current_database()) AS bytes

-- arrival_all --
-- When each topic was last heard of.
SELECT shop_id, topic, at FROM arrivals ORDER BY shop_id, topic

-- arrival_put --
-- A topic was heard of again.
INSERT INTO arrivals (shop_id, topic, at) VALUES (:shop_id, :topic, :at)
ON CONFLICT (shop_id, topic) DO UPDATE SET at = CASE WHEN arrivals.at < excluded.at THEN excluded.at ELSE arrivals.at END

-- process_put --
-- A process lives.
INSERT INTO processes (process_id, role, host, version, started_at, seen_at)
VALUES (:process_id, :role, :host, :version, :now, :now)
ON CONFLICT (process_id) DO UPDATE SET seen_at = excluded.seen_at

-- process_drop --
-- It ended well, or has been silent so long that nobody waits for it.
DELETE FROM processes WHERE process_id = :process_id OR seen_at < :before

-- process_all --
-- The processes of the installation.
SELECT process_id, role, host, version, started_at, seen_at FROM processes ORDER BY role, host, started_at

-- alert_all --
-- What is known to be wrong.
SELECT check_name, subject, since, told_at, solved_at FROM alerts ORDER BY since, check_name, subject

-- alert_put --
-- Something is wrong, or well again, or the operator was told of it.
INSERT INTO alerts (check_name, subject, since, told_at, solved_at)
VALUES (:check_name, :subject, :since, :told_at, :solved_at)
ON CONFLICT (check_name, subject) DO UPDATE SET since = excluded.since, told_at = excluded.told_at,
  solved_at = excluded.solved_at

-- alert_drop --
-- It is over, and whoever was to know does.
DELETE FROM alerts WHERE check_name = :check_name AND subject = :subject

-- run_trace_put --
-- The newest trace that moved a run.
INSERT INTO run_traces (shop_id, run_id, context, at) VALUES (:shop_id, :run_id, :context, :now)
ON CONFLICT (shop_id, run_id) DO UPDATE SET context = excluded.context, at = excluded.at

-- run_trace_get --
-- The trace a run belongs to.
SELECT context FROM run_traces WHERE shop_id = :shop_id AND run_id = :run_id

-- erase_run_traces --
-- The runs go; where their traces were kept apart from us, nothing names a person.
DELETE FROM run_traces WHERE shop_id = :shop_id AND run_id IN (SELECT value FROM {json_texts}(:runs))

-- wipe_run_traces --
-- Of one shop.
DELETE FROM run_traces WHERE shop_id = :shop_id AND run_id IN (
  SELECT run_id FROM run_traces WHERE shop_id = :shop_id LIMIT :limit)

-- wipe_arrivals --
-- Of one shop.
DELETE FROM arrivals WHERE shop_id = :shop_id AND topic IN (
  SELECT topic FROM arrivals WHERE shop_id = :shop_id LIMIT :limit)

-- wipe_event_days --
-- Of one shop.
DELETE FROM event_days WHERE shop_id = :shop_id AND day IN (
  SELECT day FROM event_days WHERE shop_id = :shop_id LIMIT :limit)

-- watch_recovered --
-- Orders that no webhook told of, by shop, and the newest of them.
SELECT shop_id, COUNT(*) AS total, MAX(at) AS newest FROM recoveries
WHERE at >= :since AND via IN ('poll', 'sweep') GROUP BY shop_id

-- watch_durable (sqlite) --
-- Whether a commit is on the disk when it returns: 2 is FULL, 3 EXTRA.
SELECT CASE WHEN synchronous >= 2 THEN 'on' ELSE 'off' END AS fsync FROM pragma_synchronous

-- watch_durable (postgres) --
-- Whether a commit is on the disk when it returns.
SELECT CASE WHEN current_setting('fsync') = 'on' AND current_setting('synchronous_commit') <> 'off'
  THEN 'on' ELSE 'off' END AS fsync

-- watch_known_since --
-- When a shop became known.
SELECT created_at FROM shops WHERE shop_id = :shop_id
