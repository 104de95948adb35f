-- job_ensure --
-- Plan a shop's job unless it exists.
INSERT INTO jobs (shop_id, kind, due_at, lease, leased_until, attempts, state, error_code, error_text, created_at)
VALUES (:shop_id, :kind, :due_at, '', NULL, 0, :state, '', '', :now)
ON CONFLICT (shop_id, kind) DO NOTHING

-- job_claim --
-- Lease the job that has been due longest, of a shop for which nobody works just now.
WITH due AS (
  SELECT waiting.shop_id, waiting.kind FROM jobs waiting
  WHERE waiting.due_at <= :now AND NOT EXISTS (
    SELECT 1 FROM jobs busy WHERE busy.shop_id = waiting.shop_id AND busy.leased_until > :now)
  ORDER BY waiting.due_at, waiting.shop_id, waiting.kind LIMIT 1 {skip_locked}
)
UPDATE jobs SET lease = :lease, leased_until = :until, due_at = :until FROM due
WHERE jobs.shop_id = due.shop_id AND jobs.kind = due.kind
RETURNING jobs.shop_id AS shop_id, jobs.kind AS kind, jobs.attempts AS attempts, jobs.state AS state,
  jobs.created_at AS created_at, jobs.done_at AS done_at

-- job_take --
-- Lease one job out of turn, for a person who waits; not one that somebody works on.
UPDATE jobs SET lease = :lease, leased_until = :until, due_at = :until
WHERE shop_id = :shop_id AND kind = :kind AND (leased_until IS NULL OR leased_until <= :now)
RETURNING shop_id, kind, attempts, state, created_at, done_at

-- job_keep --
-- Progress, in the transaction of the rows it stands for; nothing when the lease went to another.
UPDATE jobs SET state = :state, leased_until = :until, due_at = :until
WHERE shop_id = :shop_id AND kind = :kind AND lease = :lease

-- job_finish --
-- Give the lease back and say when to come again.
UPDATE jobs SET lease = '', leased_until = NULL, due_at = :due_at, attempts = :attempts, state = :state,
  error_code = :code, error_text = :text, done_at = COALESCE(:done_at, done_at)
WHERE shop_id = :shop_id AND kind = :kind AND lease = :lease

-- job_wake --
-- Due now, unless somebody works on it or it was done after `since`.
UPDATE jobs SET due_at = :now
WHERE shop_id = :shop_id AND kind = :kind AND leased_until IS NULL AND (done_at IS NULL OR done_at < :since)
  AND (due_at IS NULL OR due_at > :now)

-- job_hold --
-- Nothing of the shop before this time: it asked us to wait.
UPDATE jobs SET due_at = :until WHERE shop_id = :shop_id AND leased_until IS NULL AND due_at < :until

-- job_restart --
-- From the beginning, with another state.
UPDATE jobs SET due_at = :now, lease = '', leased_until = NULL, attempts = 0, state = :state, error_code = '',
  error_text = ''
WHERE shop_id = :shop_id AND kind = :kind

-- job_forget --
-- A shop that was disconnected begins anew should it come back.
DELETE FROM jobs WHERE shop_id = :shop_id

-- job_get --
-- One job as it stands.
SELECT shop_id, kind, due_at, leased_until, attempts, state, error_code, error_text, created_at, done_at
FROM jobs WHERE shop_id = :shop_id AND kind = :kind

-- job_next_due --
-- When a job next becomes due.
SELECT MIN(due_at) AS due_at FROM jobs WHERE due_at IS NOT NULL

-- job_shops --
-- Which shops have the job.
SELECT shop_id FROM jobs WHERE kind = :kind

-- report_put --
-- Keep what a job found.
INSERT INTO job_reports (shop_id, kind, at, report) VALUES (:shop_id, :kind, :at, :report)

-- report_prune --
-- The newest hundred are history enough.
DELETE FROM job_reports WHERE shop_id = :shop_id AND kind = :kind AND seq <= (
  SELECT COALESCE(MAX(seq), 0) FROM (
    SELECT seq FROM job_reports WHERE shop_id = :shop_id AND kind = :kind ORDER BY seq DESC LIMIT 1 OFFSET 100) older)

-- report_latest --
-- The newest reports of a kind.
SELECT at, report FROM job_reports WHERE shop_id = :shop_id AND kind = :kind ORDER BY seq DESC LIMIT :limit
