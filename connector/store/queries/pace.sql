-- pace_reached --
-- Marketing-class messages that reached a person or may have, on a channel, over the shops of one client, newest first;
-- answers do not count. One that is being sent counts until its lease ends, whatever its first attempt's time.
SELECT shop_id, flow_id, status, COALESCE(done_at, lease_until, first_try_at, created_at) AS at FROM effects
WHERE shop_id IN (SELECT value FROM {json_texts}(:shops)) AND recipient_key = :recipient_key
  AND kind = 'message' AND purpose <> 'transactional' AND recipient_key <> ''
  AND status IN ('sending', 'sent', 'uncertain') AND channel = :channel AND effect_id <> :effect_id
  AND request NOT LIKE '%"after_review"_true%'
ORDER BY at DESC LIMIT :limit

-- pace_sign --
-- The last sign of life of an address over the shops of one client: an order, or what was noted.
SELECT MAX(at) AS at FROM (
  SELECT MAX(placed_at) AS at FROM orders
  WHERE shop_id IN (SELECT value FROM {json_texts}(:shops)) AND email_key = :address_key AND email_key IS NOT NULL
  UNION ALL
  SELECT MAX(at) AS at FROM engagements
  WHERE shop_id IN (SELECT value FROM {json_texts}(:shops)) AND address_key = :address_key
) AS signs

-- pace_rivals --
-- What else is due for the person of these runs on a channel now, over the shops of one client.
SELECT e.shop_id, e.effect_id, e.flow_id, e.request, e.tainted, e.first_try_at FROM runs r
JOIN effects e ON e.shop_id = r.shop_id AND e.run_id = r.run_id
WHERE r.shop_id IN (SELECT value FROM {json_texts}(:shops)) AND r.email_key = :email_key AND r.email_key IS NOT NULL
  AND e.kind = 'message' AND e.purpose <> 'transactional' AND e.status = 'pending'
  AND (e.due_at <= :now OR e.tainted = 1)
  AND e.channel = :channel AND e.effect_id <> :effect_id

-- pace_begun --
-- How many marketing-class messages a flow has begun to send since then.
SELECT COUNT(*) AS total FROM effects
WHERE shop_id = :shop_id AND flow_id = :flow_id AND first_try_at >= :since
  AND kind = 'message' AND purpose <> 'transactional' AND first_try_at IS NOT NULL

-- engagement_note --
-- A sign of life; an older one that comes late changes nothing.
INSERT INTO engagements (shop_id, address_key, kind, at) VALUES (:shop_id, :address_key, :kind, :at)
ON CONFLICT (shop_id, address_key) DO UPDATE SET kind = excluded.kind, at = excluded.at
WHERE excluded.at > engagements.at

-- objection_put --
-- Somebody has had enough of a flow.
INSERT INTO objections (shop_id, objection_id, flow_id, kind, at) VALUES (:shop_id, :objection_id, :flow_id, :kind, :at)
ON CONFLICT (shop_id, objection_id) DO NOTHING

-- objection_count --
-- How many had enough of a flow since then.
SELECT COUNT(*) AS total FROM objections
WHERE shop_id = :shop_id AND flow_id = :flow_id AND kind = :kind AND at >= :since

-- pause_put --
-- Hold the flow's messages; the first reason stays.
INSERT INTO flow_pauses (shop_id, flow_id, at, reason) VALUES (:shop_id, :flow_id, :now, :reason)
ON CONFLICT (shop_id, flow_id) DO NOTHING

-- pause_lift --
-- The flow goes on.
DELETE FROM flow_pauses WHERE shop_id = :shop_id AND flow_id = :flow_id

-- pause_of_shop --
-- The paused flows of a shop.
SELECT shop_id, flow_id, at, reason FROM flow_pauses WHERE shop_id = :shop_id ORDER BY flow_id

-- pause_all --
-- The paused flows of all shops.
SELECT shop_id, flow_id, at, reason FROM flow_pauses ORDER BY shop_id, flow_id

-- held_put --
-- Not before a person says so.
UPDATE effects SET status = 'held', lease_until = NULL, reason = :reason
WHERE shop_id = :shop_id AND effect_id = :effect_id AND status IN ('pending', 'sending')

-- held_release --
-- Due at once; `result` says by whose word since when.
UPDATE effects SET status = 'pending', due_at = :now, reason = '', result = :result
WHERE shop_id = :shop_id AND effect_id = :effect_id AND status = 'held'

-- held_of_flow --
-- What is held of a flow, oldest first.
SELECT * FROM effects WHERE shop_id = :shop_id AND flow_id = :flow_id AND status = 'held'
ORDER BY created_at, effect_id LIMIT :limit

-- held_counts --
-- What is held, by flow and reason.
SELECT shop_id, flow_id, reason, COUNT(*) AS total, MIN(created_at) AS since FROM effects
WHERE status = 'held' AND (:shop_id = '' OR shop_id = :shop_id)
GROUP BY shop_id, flow_id, reason ORDER BY shop_id, flow_id, reason

-- calendar_of_person --
-- Every message a person's runs put in the outbox, or that is for their address, newest first. Two looks by index: one
-- with OR reads the whole shop.
SELECT * FROM (
  SELECT * FROM effects WHERE shop_id = :shop_id AND kind = 'message' AND run_id IN (
    SELECT run_id FROM runs WHERE shop_id = :shop_id AND email_key = :email_key AND email_key IS NOT NULL)
  UNION SELECT * FROM effects
  WHERE shop_id = :shop_id AND kind = 'message' AND recipient_key = :email_key AND recipient_key <> '') AS theirs
ORDER BY created_at DESC, effect_id LIMIT :limit
