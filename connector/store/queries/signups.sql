-- signup_pace_of --
-- Until when these places have used up their share.
SELECT place, full_until FROM signup_pace
WHERE shop_id = :shop_id AND place IN (SELECT value FROM {json_texts}(:places))

-- signup_pace_put --
-- A place's share is used up for longer.
INSERT INTO signup_pace (shop_id, place, full_until) VALUES (:shop_id, :place, :full_until)
ON CONFLICT (shop_id, place) DO UPDATE SET full_until = excluded.full_until

-- signup_pace_forget --
-- What says nothing any more.
DELETE FROM signup_pace WHERE shop_id = :shop_id AND full_until < :now

-- wipe_signup_pace --
-- Of one shop.
DELETE FROM signup_pace WHERE shop_id = :shop_id
  AND place IN (SELECT place FROM signup_pace WHERE shop_id = :shop_id LIMIT :limit)
