-- cursor_get --
-- The last inbox id that has a progress row.
SELECT last_id FROM inbox_cursor WHERE name = 'inbox'

-- cursor_put --
-- Move the cursor.
INSERT INTO inbox_cursor (name, last_id) VALUES ('inbox', :last_id)
ON CONFLICT (name) DO UPDATE SET last_id = excluded.last_id

-- progress_admit --
-- A delivery read from the inbox for the first time: leased at once, its first attempt counted.
INSERT INTO delivery_progress (shop_id, delivery_id, status, attempts, due_at)
VALUES (:shop_id, :delivery_id, :status, :attempts, :due_at)
ON CONFLICT (shop_id, delivery_id) DO NOTHING

-- progress_lease --
-- Take what is due and was never tried. The attempt counts before the work: a body that kills is seen.
WITH due AS (
  SELECT shop_id, delivery_id FROM delivery_progress
  WHERE status IN ('new', 'leased') AND due_at <= :now AND attempts = 0
  ORDER BY due_at, delivery_id LIMIT :limit {skip_locked}
)
UPDATE delivery_progress SET status = 'leased', attempts = delivery_progress.attempts + 1, due_at = :lease_until
FROM due
WHERE delivery_progress.shop_id = due.shop_id AND delivery_progress.delivery_id = due.delivery_id
RETURNING delivery_progress.shop_id AS shop_id, delivery_progress.delivery_id AS delivery_id,
  delivery_progress.attempts AS attempts

-- progress_lease_tried --
-- Take what is to be tried again, and what a dead worker left. What was never tried is due since ever: a burst of it is not
-- walked through.
WITH due AS (
  SELECT shop_id, delivery_id FROM delivery_progress
  WHERE status IN ('new', 'leased') AND due_at > :ever AND due_at <= :now AND attempts > 0
  ORDER BY due_at, delivery_id LIMIT :limit {skip_locked}
)
UPDATE delivery_progress SET status = 'leased', attempts = delivery_progress.attempts + 1, due_at = :lease_until
FROM due
WHERE delivery_progress.shop_id = due.shop_id AND delivery_progress.delivery_id = due.delivery_id
RETURNING delivery_progress.shop_id AS shop_id, delivery_progress.delivery_id AS delivery_id,
  delivery_progress.attempts AS attempts

-- progress_lease_of --
-- The same of one shop, untried ones: its share of a batch.
WITH due AS (
  SELECT shop_id, delivery_id FROM delivery_progress
  WHERE shop_id = :shop_id AND status IN ('new', 'leased') AND due_at <= :now AND attempts = 0
  ORDER BY due_at, delivery_id LIMIT :limit {skip_locked}
)
UPDATE delivery_progress SET status = 'leased', attempts = delivery_progress.attempts + 1, due_at = :lease_until
FROM due
WHERE delivery_progress.shop_id = due.shop_id AND delivery_progress.delivery_id = due.delivery_id
RETURNING delivery_progress.shop_id AS shop_id, delivery_progress.delivery_id AS delivery_id,
  delivery_progress.attempts AS attempts

-- progress_release --
-- Due now: the worker that leased it until then is dead.
UPDATE delivery_progress SET due_at = :now
WHERE shop_id = :shop_id AND delivery_id = :delivery_id AND status = 'leased' AND due_at = :until

-- progress_beyond --
-- Whether more untried deliveries are due than so many.
SELECT 1 AS more FROM delivery_progress
WHERE status IN ('new', 'leased') AND due_at <= :now AND attempts = 0
ORDER BY due_at, delivery_id LIMIT 1 OFFSET 0 + :skip

-- progress_beyond_of --
-- The same of one shop.
SELECT 1 AS more FROM delivery_progress
WHERE shop_id = :shop_id AND status IN ('new', 'leased') AND due_at <= :now AND attempts = 0
ORDER BY due_at, delivery_id LIMIT 1 OFFSET 0 + :skip

-- progress_give_back --
-- New again: claimed with a batch that made way before its turn came. The parameters' order is that of give_back.
UPDATE delivery_progress SET status = 'new', attempts = 0, due_at = :due_at
WHERE shop_id = :shop_id AND delivery_id = :delivery_id AND status = 'leased' AND attempts = 1

-- progress_due_shops --
-- Shops with something due, in order of their ids from one on: a step of the index for each, whatever they have.
SELECT shop_id FROM (
  WITH RECURSIVE waiting (shop_id) AS (
    SELECT MIN(shop_id) FROM delivery_progress WHERE status IN ('new', 'leased') AND shop_id > :after
    UNION ALL
    SELECT (SELECT MIN(shop_id) FROM delivery_progress
      WHERE status IN ('new', 'leased') AND shop_id > waiting.shop_id)
    FROM waiting WHERE waiting.shop_id IS NOT NULL
  )
  SELECT waiting.shop_id FROM waiting WHERE waiting.shop_id IS NOT NULL AND EXISTS (
    SELECT 1 FROM delivery_progress due
    WHERE due.shop_id = waiting.shop_id AND due.status IN ('new', 'leased') AND due.due_at <= :now)
) shops LIMIT :limit

-- progress_finish --
-- The end of a delivery's way.
UPDATE delivery_progress SET status = :status, error_code = '', error_text = :note, finished_at = :now
WHERE shop_id = :shop_id AND delivery_id = :delivery_id

-- progress_retry --
-- Try again later.
UPDATE delivery_progress SET status = 'new', due_at = :due_at, error_code = :code, error_text = :text
WHERE shop_id = :shop_id AND delivery_id = :delivery_id

-- progress_fail --
-- A dead letter: its body stays in the inbox for replay.
UPDATE delivery_progress SET status = 'failed', error_code = :code, error_text = :text, finished_at = :now
WHERE shop_id = :shop_id AND delivery_id = :delivery_id

-- progress_replay --
-- From the beginning, attempts forgotten.
UPDATE delivery_progress
SET status = 'new', attempts = 0, due_at = :now, error_code = '', error_text = '', finished_at = NULL
WHERE shop_id = :shop_id AND delivery_id = :delivery_id AND status <> 'leased'

-- progress_failed --
-- Dead letters of all shops, newest first.
SELECT shop_id, delivery_id, status, attempts, error_code, error_text, finished_at
FROM delivery_progress WHERE status = 'failed' ORDER BY delivery_id DESC LIMIT :limit

-- progress_failed_of --
-- Dead letters of one shop, newest first.
SELECT shop_id, delivery_id, status, attempts, error_code, error_text, finished_at
FROM delivery_progress WHERE status = 'failed' AND shop_id = :shop_id ORDER BY delivery_id DESC LIMIT :limit

-- progress_quarantined_of --
-- What is kept and never acted on, newest first.
SELECT delivery_id FROM delivery_progress WHERE status = 'quarantined' AND shop_id = :shop_id
ORDER BY delivery_id DESC LIMIT :limit

-- progress_open --
-- Admitted and not finished.
SELECT COUNT(*) AS total FROM delivery_progress WHERE status IN ('new', 'leased')

-- progress_next_due --
-- When something next becomes due.
SELECT MIN(due_at) AS due_at FROM delivery_progress WHERE status IN ('new', 'leased')

-- progress_replay_code --
-- Everything of a shop that failed for one reason is due again: the reason is gone.
UPDATE delivery_progress SET status = 'new', attempts = 0, due_at = :now, error_code = '', error_text = '',
  finished_at = NULL
WHERE shop_id = :shop_id AND status = 'failed' AND error_code = :code

-- progress_counts --
-- How many deliveries there are of each status.
SELECT status, COUNT(*) AS total FROM delivery_progress GROUP BY status

-- progress_status --
-- Status by a JSON list of delivery ids.
SELECT delivery_id, status FROM delivery_progress
WHERE delivery_id IN (SELECT CAST(value AS BIGINT) FROM {json_texts}(:ids))
