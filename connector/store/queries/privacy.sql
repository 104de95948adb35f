-- privacy_request_put --
-- Once per id: the same request under another delivery id is the same request.
INSERT INTO privacy_requests (shop_id, request_id, kind, source, subject, subject_key, status, received_at, due_at,
  attempts, done_at, counts, note)
VALUES (:shop_id, :request_id, :kind, :source, :subject, :subject_key, 'open', :now, :now, 0, NULL, '{{}}', '')
ON CONFLICT (shop_id, request_id) DO NOTHING

-- privacy_request_late --
-- A delivery of somebody forgotten came afterwards: the shop's one standing request for that is due again.
INSERT INTO privacy_requests (shop_id, request_id, kind, source, subject, subject_key, status, received_at, due_at,
  attempts, done_at, counts, note)
VALUES (:shop_id, 'late', 'late_deliveries', 'webhook', '{{}}', '', 'erased', :now, :now, 0, NULL, '{{}}', '')
ON CONFLICT (shop_id, request_id) DO UPDATE SET status = 'erased', received_at = :now, due_at = :now, attempts = 0

-- privacy_request_due --
-- What is to be done now, the oldest first.
SELECT * FROM privacy_requests WHERE status IN ('open', 'erased') AND due_at <= :now
ORDER BY due_at, request_id LIMIT :limit {skip_locked}

-- privacy_request_lease --
-- Counted before the work, and away from other workers until the lease ends.
UPDATE privacy_requests SET attempts = attempts + 1, due_at = :due_at WHERE shop_id = :shop_id AND request_id = :request_id

-- privacy_request_move --
-- Another status; the subject is emptied with it when the person is forgotten.
UPDATE privacy_requests SET status = :status, due_at = :due_at, done_at = :done_at, counts = :counts, note = :note,
  subject = CASE WHEN :forget = 1 THEN '{{}}' ELSE subject END
WHERE shop_id = :shop_id AND request_id = :request_id

-- privacy_request_get --
-- One request.
SELECT * FROM privacy_requests WHERE shop_id = :shop_id AND request_id = :request_id

-- privacy_request_all --
-- The audit trail, newest first.
SELECT * FROM privacy_requests ORDER BY received_at DESC, request_id LIMIT :limit

-- privacy_request_of_shop --
-- One shop's audit trail, newest first.
SELECT * FROM privacy_requests WHERE shop_id = :shop_id ORDER BY received_at DESC, request_id LIMIT :limit

-- privacy_request_next --
-- When there is next something to do.
SELECT MIN(due_at) AS due_at FROM privacy_requests WHERE status IN ('open', 'erased')

-- privacy_request_open --
-- How many wait, and since when.
SELECT COUNT(*) AS total, MIN(received_at) AS oldest FROM privacy_requests WHERE status IN ('open', 'erased')

-- privacy_export_put --
-- The newest gathering counts.
INSERT INTO privacy_exports (shop_id, request_id, subject_key, expires_at, content)
VALUES (:shop_id, :request_id, :subject_key, :expires_at, :content)
ON CONFLICT (shop_id, request_id) DO UPDATE SET content = excluded.content, expires_at = excluded.expires_at

-- privacy_export_get --
-- What was gathered, while it may be fetched.
SELECT content, expires_at FROM privacy_exports
WHERE shop_id = :shop_id AND request_id = :request_id AND expires_at > :now

-- privacy_export_there --
-- Whether there is anything to fetch.
SELECT request_id FROM privacy_exports
WHERE shop_id = :shop_id AND request_id = :request_id AND expires_at > :now

-- privacy_export_expire --
-- Nobody came for it.
DELETE FROM privacy_exports WHERE expires_at <= :now

-- privacy_access_put --
-- Somebody fetched it.
INSERT INTO privacy_access (shop_id, request_id, at, route) VALUES (:shop_id, :request_id, :now, :route)

-- privacy_access_of --
-- Who fetched it, oldest first.
SELECT at, route FROM privacy_access WHERE shop_id = :shop_id AND request_id = :request_id ORDER BY seq

-- erasure_put --
-- The latest erasure stands.
INSERT INTO erasures (shop_id, erased_key, at) VALUES (:shop_id, :erased_key, :at)
ON CONFLICT (shop_id, erased_key) DO UPDATE SET at = excluded.at

-- privacy_asked_since --
-- Whether a request of the kind about the person was made lately.
SELECT 1 AS found FROM privacy_requests
WHERE shop_id = :shop_id AND kind = :kind AND subject_key = :subject_key AND received_at >= :since LIMIT 1

-- erasure_any --
-- Whether the shop has forgotten anybody: most have not, and then nothing more is asked.
SELECT 1 AS found FROM erasures WHERE shop_id = :shop_id LIMIT 1

-- erasure_of_keys --
-- Which of a JSON list of people were forgotten, and when.
SELECT erased_key, at FROM erasures
WHERE shop_id = :shop_id AND erased_key IN (SELECT value FROM {json_texts}(:keys))
