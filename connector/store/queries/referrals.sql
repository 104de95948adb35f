-- referral_open --
-- Once per id; what came of it stands in `state`.
INSERT INTO referrals (shop_id, referral_id, code_key, advocate_email_key, friend_email_key, friend_order_id, state,
  reason, created_at, updated_at, way, evidence, signs, friend_hash, opens_at, reward, month)
VALUES (:shop_id, :referral_id, :code_key, :advocate_email_key, :friend_email_key, :friend_order_id, :state,
  :reason, :now, :now, :way, :evidence, :signs, :friend_hash, :opens_at, :reward, :month)
ON CONFLICT (shop_id, referral_id) DO NOTHING

-- referral_open_at --
-- The friend's goods left or came: it opens at another moment.
UPDATE referrals SET opens_at = :at WHERE shop_id = :shop_id AND referral_id = :referral_id
  AND state IN ('review', 'held')

-- referral_get --
-- One, by its id.
SELECT referral_id, code_key, advocate_email_key, friend_email_key, friend_order_id, state, reason, created_at,
  updated_at, way, evidence, signs, friend_hash, opens_at, reward, month, decided_by, decided_at, note
FROM referrals WHERE shop_id = :shop_id AND referral_id = :referral_id

-- referral_list --
-- A shop's, the newest first; of one state where one is named.
SELECT referral_id, code_key, advocate_email_key, friend_email_key, friend_order_id, state, reason, created_at,
  updated_at, way, evidence, signs, friend_hash, opens_at, reward, month, decided_by, decided_at, note
FROM referrals WHERE shop_id = :shop_id AND (:state = '' OR state = :state)
ORDER BY created_at DESC, referral_id LIMIT :limit

-- referral_waiting --
-- What waits for a person, the oldest first.
SELECT referral_id, code_key, advocate_email_key, friend_email_key, friend_order_id, state, reason, created_at,
  updated_at, way, evidence, signs, friend_hash, opens_at, reward, month, decided_by, decided_at, note
FROM referrals WHERE shop_id = :shop_id AND state = 'review' ORDER BY created_at, referral_id LIMIT :limit

-- referral_of_month --
-- What a month's caps are counted over.
SELECT referral_id, advocate_email_key, reward FROM referrals
WHERE shop_id = :shop_id AND month = :month AND month <> '' AND state IN ('review', 'held', 'rewarded')

-- referral_of_friend --
-- What came of a friend's orders.
SELECT referral_id, code_key, advocate_email_key, friend_email_key, friend_order_id, state, reason, created_at,
  updated_at, way, evidence, signs, friend_hash, opens_at, reward, month, decided_by, decided_at, note
FROM referrals WHERE shop_id = :shop_id AND friend_hash = :friend_hash AND friend_hash <> ''
ORDER BY created_at, referral_id

-- referral_leaders --
-- Those who let their name be shown, by how many friends were rewarded.
SELECT n.name AS name, COUNT(*) AS friends FROM referral_names n
JOIN referrals r ON r.shop_id = n.shop_id AND r.advocate_email_key = n.advocate_email_key AND r.state = 'rewarded'
WHERE n.shop_id = :shop_id
GROUP BY n.advocate_email_key, n.name ORDER BY COUNT(*) DESC, n.name LIMIT :limit

-- referral_friend_take --
-- The first order of a friend's that counts: whoever comes second gets nothing.
INSERT INTO referral_friends (shop_id, friend_hash, referral_id) VALUES (:shop_id, :friend_hash, :referral_id)
ON CONFLICT (shop_id, friend_hash) DO NOTHING

-- referral_friend_get --
-- Which referral a friend is counted in.
SELECT referral_id FROM referral_friends WHERE shop_id = :shop_id AND friend_hash = :friend_hash

-- referral_friend_free --
-- That order came to nothing: the friend may still be brought.
DELETE FROM referral_friends WHERE shop_id = :shop_id AND referral_id = :referral_id

-- referral_visit_put --
-- Once per token.
INSERT INTO referral_visits (shop_id, visit, code_key, friend_email_key, friend_hash, place, device, order_id, at)
VALUES (:shop_id, :visit, :code_key, :friend_email_key, :friend_hash, :place, :device, '', :now)
ON CONFLICT (shop_id, visit) DO NOTHING

-- referral_visit_get --
-- A visit by the token an order brought back.
SELECT visit, code_key, friend_hash, place, device, order_id, at FROM referral_visits
WHERE shop_id = :shop_id AND visit = :visit

-- referral_visits_of --
-- Where a friend who left an address was sent from, the first one first.
SELECT visit, code_key, friend_hash, place, device, order_id, at FROM referral_visits
WHERE shop_id = :shop_id AND friend_hash = :friend_hash AND friend_hash <> '' AND at >= :since AND at <= :until
ORDER BY at, visit LIMIT 20

-- referral_visit_led --
-- The order it led to: what is counted by place and device.
UPDATE referral_visits SET order_id = :order_id WHERE shop_id = :shop_id AND visit = :visit AND order_id = ''

-- referral_visits_from --
-- Orders that came of visits from one place, or from one device.
SELECT DISTINCT order_id, code_key, place, device FROM referral_visits
WHERE shop_id = :shop_id AND at >= :since AND order_id <> ''
  AND ((place = :place AND place <> '') OR (device = :device AND device <> ''))

-- referral_name_put --
-- The name somebody lets be shown.
INSERT INTO referral_names (shop_id, advocate_email_key, name, at) VALUES (:shop_id, :email_key, :name, :now)
ON CONFLICT (shop_id, advocate_email_key) DO UPDATE SET name = excluded.name, at = excluded.at

-- referral_name_get --
-- Whether they do.
SELECT name FROM referral_names WHERE shop_id = :shop_id AND advocate_email_key = :email_key

-- referral_name_drop --
-- No longer.
DELETE FROM referral_names WHERE shop_id = :shop_id AND advocate_email_key = :email_key

-- keep_referral_visits --
-- Where a visit came from is forgotten after a while.
UPDATE referral_visits SET place = '', device = ''
WHERE shop_id = :shop_id AND at < :before AND (place <> '' OR device <> '')

-- keep_referral_visits_drop --
-- A visit that no order can come of any more.
DELETE FROM referral_visits WHERE shop_id = :shop_id AND visit IN (
  SELECT visit FROM referral_visits WHERE shop_id = :shop_id AND at < :before LIMIT :limit)

-- person_referral_visits --
-- Friends' pages they went to the shop from.
SELECT * FROM referral_visits WHERE shop_id = :shop_id AND (
  friend_email_key IN (SELECT value FROM {json_texts}(:emails))
  OR order_id IN (SELECT value FROM {json_texts}(:orders)))

-- erase_referral_visits --
-- Here.
DELETE FROM referral_visits WHERE shop_id = :shop_id AND (
  friend_email_key IN (SELECT value FROM {json_texts}(:emails))
  OR order_id IN (SELECT value FROM {json_texts}(:orders)))

-- wipe_referral_visits --
-- Of one shop.
DELETE FROM referral_visits WHERE shop_id = :shop_id AND visit IN (
  SELECT visit FROM referral_visits WHERE shop_id = :shop_id LIMIT :limit)

-- person_referral_names --
-- The name they let be shown.
SELECT * FROM referral_names WHERE shop_id = :shop_id AND
  advocate_email_key IN (SELECT value FROM {json_texts}(:emails))

-- erase_referral_names --
-- Here.
DELETE FROM referral_names WHERE shop_id = :shop_id AND
  advocate_email_key IN (SELECT value FROM {json_texts}(:emails))

-- wipe_referral_names --
-- Of one shop.
DELETE FROM referral_names WHERE shop_id = :shop_id AND advocate_email_key IN (
  SELECT advocate_email_key FROM referral_names WHERE shop_id = :shop_id LIMIT :limit)

-- wipe_referral_friends --
-- Of one shop.
DELETE FROM referral_friends WHERE shop_id = :shop_id AND friend_hash IN (
  SELECT friend_hash FROM referral_friends WHERE shop_id = :shop_id LIMIT :limit)
