-- inbox_forget --
-- Deliveries that are kept no longer, by a JSON list of ids.
DELETE FROM inbox WHERE id IN (SELECT CAST(value AS BIGINT) FROM {json_texts}(:ids))

-- keep_progress_drop --
-- What became of deliveries that are kept no longer. What is still to be done is never among them.
DELETE FROM delivery_progress WHERE shop_id = :shop_id AND status NOT IN ('new', 'leased')
  AND delivery_id IN (SELECT CAST(value AS BIGINT) FROM {json_texts}(:ids))

-- keep_contents_page --
-- Frozen messages that are not a digest yet, with what became of them and when; a digest has 71 bytes.
SELECT c.effect_id, e.status, COALESCE(e.done_at, e.created_at) AS at FROM effect_contents c
LEFT JOIN effects e ON e.shop_id = c.shop_id AND e.effect_id = c.effect_id
WHERE c.shop_id = :shop_id AND c.effect_id > :after_id AND (c.encoding <> 0 OR LENGTH(c.content) <> 71)
ORDER BY c.effect_id LIMIT :limit

-- keep_contents_drop --
-- Nobody will send it again, and nobody knows whether it was sent.
DELETE FROM effect_contents WHERE shop_id = :shop_id AND effect_id IN (SELECT value FROM {json_texts}(:ids))

-- keep_subjects_page --
-- Subjects of messages nobody will send again, and since when: a subject may name a person as the body does.
SELECT effect_id, COALESCE(done_at, created_at) AS at FROM effects
WHERE shop_id = :shop_id AND effect_id > :after_id AND subject <> ''
  AND status IN ('sent', 'skipped', 'failed', 'uncertain')
ORDER BY effect_id LIMIT :limit

-- keep_subjects_blank --
-- The same messages without their subjects.
UPDATE effects SET subject = '' WHERE shop_id = :shop_id AND effect_id IN (SELECT value FROM {json_texts}(:ids))

-- keep_applied_page --
-- States of a shop's flows that were applied before then, but for the newest so many; newest first.
SELECT state, flows FROM applied_states
WHERE shop_id = :shop_id AND state < :below AND at < :before
  AND state <= (SELECT MAX(state) FROM applied_states WHERE shop_id = :shop_id) - :newest
ORDER BY state DESC LIMIT :limit

-- keep_applied_running --
-- The versions somebody is still under way in.
SELECT DISTINCT flow_id, version FROM runs
WHERE shop_id = :shop_id AND status IN ('ready', 'sleeping', 'awaiting', 'acting', 'other')

-- keep_applied_drop --
-- States nobody needs.
DELETE FROM applied_states WHERE shop_id = :shop_id
  AND state IN (SELECT CAST(value AS BIGINT) FROM {json_texts}(:states))

-- keep_events_page --
-- Events and whether a run about their order is still under way.
SELECT e.event_key, e.kind, e.at, e.recorded_at, CASE WHEN e.order_id IS NOT NULL AND EXISTS (
  SELECT 1 FROM runs r WHERE r.shop_id = e.shop_id AND r.order_id = e.order_id
    AND r.status IN ('ready', 'sleeping', 'awaiting', 'acting')) THEN 1 ELSE 0 END AS needed
FROM events e WHERE e.shop_id = :shop_id AND e.event_key > :after_key ORDER BY e.event_key LIMIT :limit

-- keep_events_drop --
-- What is counted and kept no longer.
DELETE FROM events WHERE shop_id = :shop_id AND event_key IN (SELECT value FROM {json_texts}(:keys))

-- keep_days_add --
-- So many events of a kind on a day, beside those that were counted before.
INSERT INTO event_days (shop_id, day, kind, total) VALUES (:shop_id, :day, :kind, :total)
ON CONFLICT (shop_id, day, kind) DO UPDATE SET total = event_days.total + excluded.total

-- keep_days --
-- What is left of a shop's old events.
SELECT day, kind, total FROM event_days WHERE shop_id = :shop_id ORDER BY day, kind

-- keep_consents_page --
-- Decisions whose evidence may hold what is kept for a while only.
SELECT seq, evidence FROM consents WHERE shop_id = :shop_id AND seq > :after_seq AND recorded_at < :before
  AND evidence LIKE '%"ip"%'
ORDER BY seq LIMIT :limit

-- keep_consent_evidence --
-- The same evidence without what is kept no longer.
UPDATE consents SET evidence = :evidence WHERE shop_id = :shop_id AND seq = :seq

-- keep_access_drop --
-- Who looked at gathered data, long ago.
DELETE FROM privacy_access WHERE shop_id = :shop_id AND seq IN (
  SELECT seq FROM privacy_access WHERE shop_id = :shop_id AND at < :before ORDER BY seq LIMIT :limit)

-- keep_requests_drop --
-- Requests about personal data that were done long ago.
DELETE FROM privacy_requests WHERE shop_id = :shop_id AND request_id IN (
  SELECT request_id FROM privacy_requests
  WHERE shop_id = :shop_id AND status = 'done' AND done_at < :before LIMIT :limit)

-- keep_reports_drop --
-- What jobs found long ago.
DELETE FROM job_reports WHERE shop_id = :shop_id AND seq IN (
  SELECT seq FROM job_reports WHERE shop_id = :shop_id AND at < :before ORDER BY seq LIMIT :limit)

-- keep_traces_drop --
-- Traces nobody will go on with.
DELETE FROM run_traces WHERE shop_id = :shop_id AND run_id IN (
  SELECT run_id FROM run_traces WHERE shop_id = :shop_id AND at < :before LIMIT :limit)

-- keep_review_asks_page --
-- What somebody was asked to review, and when.
SELECT ask_id, product_id, asked_at FROM review_asks
WHERE shop_id = :shop_id AND ask_id > :after_id ORDER BY ask_id LIMIT :limit

-- keep_review_asks_drop --
-- Nobody is spared another question for it any more.
DELETE FROM review_asks WHERE shop_id = :shop_id AND ask_id IN (SELECT value FROM {json_texts}(:ids))
