-- effect_put --
-- Into the outbox, once per id.
INSERT INTO effects (shop_id, effect_id, run_id, flow_id, version, step_id, kind, purpose, priority, request, status,
  due_at, created_at, order_id, channel, attempts, tainted, lease_until, first_try_at, done_at, recipient,
  recipient_key, sender, subject, provider_id, reason, result)
VALUES (:shop_id, :effect_id, :run_id, :flow_id, :version, :step_id, :kind, :purpose, :priority, :request, :status,
  :due_at, :created_at, :order_id, :channel, :attempts, :tainted, :lease_until, :first_try_at, :done_at, :recipient,
  :recipient_key, :sender, :subject, :provider_id, :reason, :result)
ON CONFLICT (shop_id, effect_id) DO NOTHING

-- effect_get --
-- One effect with its frozen content.
SELECT e.*, c.encoding, c.content FROM effects e
LEFT JOIN effect_contents c ON c.shop_id = e.shop_id AND c.effect_id = e.effect_id
WHERE e.shop_id = :shop_id AND e.effect_id = :effect_id

-- effect_of_run --
-- A run's effects.
SELECT e.*, c.encoding, c.content FROM effects e
LEFT JOIN effect_contents c ON c.shop_id = e.shop_id AND c.effect_id = e.effect_id
WHERE e.shop_id = :shop_id AND e.run_id = :run_id ORDER BY e.created_at, e.effect_id

-- effect_of_order --
-- An order's effects.
SELECT e.*, c.encoding, c.content FROM effects e
LEFT JOIN effect_contents c ON c.shop_id = e.shop_id AND c.effect_id = e.effect_id
WHERE e.shop_id = :shop_id AND e.order_id = :order_id ORDER BY e.created_at, e.effect_id

-- effect_told_of_subject --
-- What was told, or may have been, of a parcel by a flow's other runs, newest first.
SELECT e.request, r.event FROM runs r JOIN effects e ON e.shop_id = r.shop_id AND e.run_id = r.run_id
WHERE r.shop_id = :shop_id AND r.subject_id = :subject_id AND r.subject_kind = :subject_kind
  AND r.subject_kind <> 'order' AND r.flow_id = :flow_id AND r.run_id <> :run_id
  AND e.kind = 'message' AND (e.status IN ('sending', 'sent', 'uncertain') OR (e.status = 'pending' AND e.tainted = 1))
ORDER BY e.created_at DESC, e.effect_id

-- effect_troubled --
-- What waits for a person's decision, newest first. The condition repeats the partial index's own.
SELECT * FROM effects WHERE status IN ('failed', 'uncertain')
  AND (:shop_id = '' OR shop_id = :shop_id) AND (:status = '' OR status = :status)
ORDER BY created_at DESC, effect_id LIMIT :limit

-- effect_reopen --
-- A person wants it tried again. `result` says since when.
UPDATE effects SET status = 'pending', due_at = :now, done_at = NULL, lease_until = NULL, reason = '', result = :result
WHERE shop_id = :shop_id AND effect_id = :effect_id AND status IN ('failed', 'uncertain')

-- effect_due --
-- What may be tried now, of one priority: a single range of the partial index, also when many wait for later.
SELECT * FROM effects WHERE status = 'pending' AND priority = :priority AND due_at <= :now
ORDER BY due_at LIMIT :limit {skip_locked}

-- effect_due_of --
-- The same of one shop: its share of a batch.
SELECT * FROM effects WHERE status = 'pending' AND priority = :priority AND shop_id = :shop_id AND due_at <= :now
ORDER BY due_at LIMIT :limit {skip_locked}

-- effect_due_shops --
-- Shops with something due, in order of their ids from one on: a step of the index for each that has any pending.
SELECT shop_id FROM (
  WITH RECURSIVE waiting (shop_id) AS (
    SELECT MIN(shop_id) FROM effects WHERE status = 'pending' AND priority = :priority AND shop_id > :after
    UNION ALL
    SELECT (SELECT MIN(shop_id) FROM effects
      WHERE status = 'pending' AND priority = :priority AND shop_id > waiting.shop_id)
    FROM waiting WHERE waiting.shop_id IS NOT NULL
  )
  SELECT waiting.shop_id FROM waiting WHERE waiting.shop_id IS NOT NULL AND EXISTS (
    SELECT 1 FROM effects due WHERE due.status = 'pending' AND due.priority = :priority
      AND due.shop_id = waiting.shop_id AND due.due_at <= :now)
) shops LIMIT :limit

-- effect_expired --
-- Sending began and nobody told the end. From the lease's very end on: the cap counts it as being sent until then.
SELECT * FROM effects WHERE status = 'sending' AND lease_until <= :now ORDER BY lease_until LIMIT :limit {skip_locked}

-- effect_contents_of --
-- Frozen contents by a JSON list of ids.
SELECT effect_id, encoding, content FROM effect_contents
WHERE shop_id = :shop_id AND effect_id IN (SELECT value FROM {json_texts}(:ids))

-- effect_begin --
-- The intent is committed before the call.
UPDATE effects SET status = 'sending', attempts = attempts + 1, lease_until = :lease_until,
  first_try_at = COALESCE(first_try_at, :now), recipient = :recipient, recipient_key = :recipient_key,
  sender = :sender, subject = :subject, message_key = :message_key
WHERE shop_id = :shop_id AND effect_id = :effect_id AND status = 'pending'

-- effect_freeze --
-- What is about to be sent. The caller repeats the same bytes once an outcome was unknown.
INSERT INTO effect_contents (shop_id, effect_id, encoding, content)
VALUES (:shop_id, :effect_id, :encoding, :content)
ON CONFLICT (shop_id, effect_id) DO UPDATE SET encoding = excluded.encoding, content = excluded.content

-- effect_settle --
-- The outcome. What was sent stays sent; an unknown outcome taints for good.
UPDATE effects SET status = :status, done_at = :now, lease_until = NULL, provider_id = :provider_id, reason = :reason,
  result = :result, tainted = CASE WHEN :status = 'uncertain' THEN 1 ELSE tainted END
WHERE shop_id = :shop_id AND effect_id = :effect_id AND status <> 'sent'

-- effect_retry --
-- Try again later; a taint is never cleared.
UPDATE effects SET status = 'pending', due_at = :due_at, lease_until = NULL, done_at = NULL, reason = :reason,
  tainted = CASE WHEN :tainted = 1 THEN 1 ELSE tainted END
WHERE shop_id = :shop_id AND effect_id = :effect_id AND status <> 'sent'

-- effect_defer --
-- Put off without having tried. What another worker did meanwhile stands: begun and put back it would be sent twice, and
-- what a server wished for later would come too soon.
UPDATE effects SET due_at = :due_at, reason = :reason
WHERE shop_id = :shop_id AND effect_id = :effect_id AND status = 'pending' AND due_at <= :due_at

-- effect_release --
-- What waited for one thing need not wait any longer.
UPDATE effects SET due_at = :now
WHERE shop_id = :shop_id AND status = 'pending' AND due_at > :now AND reason LIKE :reason

-- effect_next_due --
-- When the next effect of a priority may be tried.
SELECT MIN(due_at) AS due_at FROM effects WHERE status = 'pending' AND priority = :priority

-- effect_next_expiry --
-- When the next lease ends.
SELECT MIN(lease_until) AS due_at FROM effects WHERE status = 'sending'

-- effect_counts --
-- How many there are of each status.
SELECT status, COUNT(*) AS total FROM effects GROUP BY status

-- effect_sent_to --
-- What a person got since a time.
SELECT * FROM effects
WHERE shop_id = :shop_id AND recipient_key = :recipient_key AND status = 'sent' AND done_at >= :since
ORDER BY done_at

-- effect_results_since --
-- What platform effects gave: asked only when an attempt at a grant has an unknown outcome.
SELECT result FROM effects
WHERE shop_id = :shop_id AND kind = 'platform' AND status = 'sent' AND done_at >= :since
