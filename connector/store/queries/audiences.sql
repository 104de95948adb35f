-- audience_put --
-- Somebody is on the platform from now on; who was there keeps the time since when.
INSERT INTO audience_members (shop_id, platform, segment, member, phone, name, since, gone_at)
VALUES (:shop_id, :platform, :segment, :member, :phone, :name, :now, NULL)
ON CONFLICT (shop_id, platform, segment, member) DO UPDATE SET
  phone = excluded.phone, name = excluded.name, gone_at = NULL,
  since = CASE WHEN audience_members.gone_at IS NULL THEN audience_members.since ELSE excluded.since END

-- audience_members --
-- Who is on the platform as far as we know, and who had to go since a time.
SELECT member, phone, name, since, gone_at FROM audience_members
WHERE shop_id = :shop_id AND platform = :platform AND segment = :segment
  AND (gone_at IS NULL OR gone_at >= :gone_since) ORDER BY member

-- audience_gone --
-- These have to go.
UPDATE audience_members SET gone_at = :now, name = NULL
WHERE shop_id = :shop_id AND platform = :platform AND segment = :segment AND gone_at IS NULL
  AND member IN (SELECT value FROM {json_texts}(:members))

-- audience_forget_gone --
-- What the platform was told long ago need not be kept.
DELETE FROM audience_members WHERE shop_id = :shop_id AND gone_at < :before

-- audience_export_put --
-- One export, for the record.
INSERT INTO audience_exports (shop_id, export_id, at, platform, segment, by_whom, ground, people, removed, left_out)
VALUES (:shop_id, :export_id, :at, :platform, :segment, :by_whom, :ground, :people, :removed, :left_out)

-- audience_exports --
-- The exports of a shop, newest first.
SELECT export_id, at, platform, segment, by_whom, ground, people, removed, left_out FROM audience_exports
WHERE shop_id = :shop_id ORDER BY at DESC, export_id LIMIT 0 + :limit

-- person_audience --
-- The audiences they are in.
SELECT platform, segment, since FROM audience_members
WHERE shop_id = :shop_id AND name IN (SELECT value FROM {json_texts}(:emails))

-- erase_audience --
-- Nobody's digest: kept until the platform that has it was told to forget it too (GDPR Art. 19).
UPDATE audience_members SET name = NULL
WHERE shop_id = :shop_id AND name IN (SELECT value FROM {json_texts}(:emails))

-- wipe_audience_members --
-- Of one shop.
DELETE FROM audience_members WHERE shop_id = :shop_id AND (platform, segment, member) IN (
  SELECT platform, segment, member FROM audience_members WHERE shop_id = :shop_id LIMIT :limit)

-- wipe_audience_exports --
-- Of one shop.
DELETE FROM audience_exports WHERE shop_id = :shop_id
