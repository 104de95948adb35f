-- renewal_add --
-- A shop whose credentials are renewed; known ones stay as they are.
INSERT INTO renewals (shop_id) VALUES (:shop_id) ON CONFLICT (shop_id) DO NOTHING

-- renewal_get --
-- How a shop's renewals stand.
SELECT shop_id, lease_by, lease_until, renewed_at, keep_at, refused_at, refused_what, tried_at, lapses_at, ends_at
FROM renewals WHERE shop_id = :shop_id

-- renewal_all --
-- Of every shop.
SELECT shop_id, lease_by, lease_until, renewed_at, keep_at, refused_at, refused_what, tried_at, lapses_at, ends_at
FROM renewals ORDER BY shop_id

-- renewal_lease --
-- One holder a shop; on PostgreSQL the second waits for the first one's commit and then finds the lease taken.
UPDATE renewals SET lease_by = :holder, lease_until = :until
WHERE shop_id = :shop_id AND (lease_until IS NULL OR lease_until <= :now)

-- renewal_release --
-- Only the holder's own.
UPDATE renewals SET lease_by = '', lease_until = NULL WHERE shop_id = :shop_id AND lease_by = :holder

-- renewal_done --
-- New credentials are stored in this transaction; what they say of themselves is put by renewal_told.
UPDATE renewals SET renewed_at = :now, refused_at = NULL, refused_what = '', tried_at = NULL
WHERE shop_id = :shop_id

-- renewal_refused --
-- The platform said no; `refused_at` keeps its first time.
UPDATE renewals SET refused_at = COALESCE(refused_at, :now), refused_what = :what, tried_at = :now,
  keep_at = :keep_at
WHERE shop_id = :shop_id

-- renewal_keep --
-- When to renew next although nobody needs it.
UPDATE renewals SET keep_at = :keep_at WHERE shop_id = :shop_id

-- renewal_told --
-- What the credentials say of themselves: when to renew them, when they lapse, when they can be renewed no more.
UPDATE renewals SET keep_at = :keep_at, lapses_at = :lapses_at, ends_at = :ends_at WHERE shop_id = :shop_id

-- renewal_delete --
-- The shop is gone.
DELETE FROM renewals WHERE shop_id = :shop_id

-- renewal_due --
-- To be kept alive now, or left in the middle by a worker that died: its lease ended and was never given back.
SELECT shop_id FROM renewals WHERE keep_at <= :now OR lease_until <= :now
ORDER BY COALESCE(lease_until, keep_at) LIMIT :limit

-- renewal_next --
-- When the next one is to be kept alive, or a lease ends.
SELECT MIN(keep_at) AS keep_at, MIN(lease_until) AS lease_until FROM renewals

-- renewal_clear --
-- A lease that ended and that nobody gave back.
UPDATE renewals SET lease_by = '', lease_until = NULL WHERE shop_id = :shop_id AND lease_until <= :now

-- notice_put --
-- Something to tell once; what is there already stays.
INSERT INTO notices (shop_id, notice_key, kind, status, created_at, due_at)
VALUES (:shop_id, :key, :kind, 'pending', :now, :due_at) ON CONFLICT (shop_id, notice_key) DO NOTHING

-- notice_last --
-- When the newest of a kind was made.
SELECT MAX(created_at) AS at FROM notices WHERE shop_id = :shop_id AND kind = :kind

-- notice_of --
-- What a shop was told, oldest first.
SELECT shop_id, notice_key, kind, status, attempts, created_at, due_at, reason FROM notices
WHERE shop_id = :shop_id ORDER BY created_at, notice_key

-- notice_due --
-- To be told now.
SELECT shop_id, notice_key, kind, status, attempts, created_at, due_at, reason FROM notices
WHERE status = 'pending' AND due_at <= :now ORDER BY due_at LIMIT :limit

-- notice_claim --
-- Counted before it is sent; nobody else takes it before `due_at`.
UPDATE notices SET attempts = attempts + 1, due_at = :due_at
WHERE shop_id = :shop_id AND notice_key = :key AND status = 'pending' AND due_at <= :now

-- notice_settle --
-- How it ended, or when it is tried again.
UPDATE notices SET status = :status, reason = :reason, due_at = :due_at
WHERE shop_id = :shop_id AND notice_key = :key AND status = 'pending'

-- notice_next --
-- When the next one is to be told.
SELECT MIN(due_at) AS due_at FROM notices WHERE status = 'pending'
