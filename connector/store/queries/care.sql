-- survey_ask --
-- Once a message; one that is rendered anew was asked when it was first frozen.
INSERT INTO survey_asks (shop_id, ask_id, survey, kind, flow_id, order_id, email_key, customer_id, asked_at, band,
  comment, revisions)
VALUES (:shop_id, :ask_id, :survey, :kind, :flow_id, :order_id, :email_key, :customer_id, :now, '', '', 0)
ON CONFLICT (shop_id, ask_id) DO NOTHING

-- survey_unask --
-- The message certainly never left: nobody was asked.
DELETE FROM survey_asks WHERE shop_id = :shop_id AND ask_id = :ask_id AND answered_at IS NULL

-- survey_get --
-- One question, answered or not.
SELECT * FROM survey_asks WHERE shop_id = :shop_id AND ask_id = :ask_id

-- survey_answer --
-- The first answer, or a change of it.
UPDATE survey_asks SET score = :score, band = :band, comment = :comment,
  revised_at = CASE WHEN answered_at IS NULL THEN NULL ELSE :now END,
  answered_at = CASE WHEN answered_at IS NULL THEN :now ELSE answered_at END,
  revisions = revisions + 1
WHERE shop_id = :shop_id AND ask_id = :ask_id

-- survey_last --
-- The newest question to a person, of whatever stage and flow, in one shop.
SELECT ask_id, flow_id, survey, asked_at FROM survey_asks
WHERE shop_id = :shop_id AND ask_id <> :ask_id AND (email_key = :email_key AND email_key <> ''
  OR customer_id = :customer_id AND customer_id <> '')
ORDER BY asked_at DESC LIMIT 1

-- survey_between --
-- Questions asked in a time, for results.
SELECT ask_id, survey, kind, flow_id, order_id, asked_at, score, band, comment, answered_at
FROM survey_asks WHERE shop_id = :shop_id AND asked_at >= :since AND asked_at < :until AND ask_id > :after
ORDER BY ask_id LIMIT :limit

-- person_surveys --
-- What they were asked, and their answers.
SELECT * FROM survey_asks WHERE shop_id = :shop_id AND (
  order_id IN (SELECT value FROM {json_texts}(:orders)) OR email_key IN (SELECT value FROM {json_texts}(:emails))
  OR customer_id IN (SELECT value FROM {json_texts}(:customers)))

-- erase_surveys --
-- Answers and all: the question's id names the run.
DELETE FROM survey_asks WHERE shop_id = :shop_id AND (
  order_id IN (SELECT value FROM {json_texts}(:orders)) OR email_key IN (SELECT value FROM {json_texts}(:emails))
  OR customer_id IN (SELECT value FROM {json_texts}(:customers)))

-- wipe_survey_asks --
-- Of one shop.
DELETE FROM survey_asks WHERE shop_id = :shop_id AND ask_id IN (
  SELECT ask_id FROM survey_asks WHERE shop_id = :shop_id LIMIT :limit)

-- care_begin --
-- Once a cause and address; one that has ended may begin anew.
INSERT INTO care_holds (shop_id, hold_id, address_key, reason, order_id, since, until, ended_by)
VALUES (:shop_id, :hold_id, :address_key, :reason, :order_id, :now, :until, '')
ON CONFLICT (shop_id, hold_id, address_key) DO UPDATE SET ended_at = NULL, ended_by = '', since = excluded.since,
  until = excluded.until WHERE care_holds.ended_at IS NOT NULL

-- care_end --
-- By a person's word.
UPDATE care_holds SET ended_at = :now, ended_by = :ended_by
WHERE shop_id = :shop_id AND hold_id = :hold_id AND ended_at IS NULL

-- care_of --
-- Whom one cause concerns.
SELECT hold_id, address_key, reason, order_id, since, until, ended_at, ended_by FROM care_holds
WHERE shop_id = :shop_id AND hold_id = :hold_id

-- care_open --
-- What keeps an address from advertising now, the longest first.
SELECT hold_id, reason, since, until FROM care_holds
WHERE shop_id = :shop_id AND address_key = :address_key AND ended_at IS NULL AND until > :now
ORDER BY until DESC, hold_id

-- care_waiting --
-- Causes of one reason that no person has ended yet, each once, the oldest first.
SELECT hold_id, MAX(order_id) AS order_id, MIN(since) AS since, MAX(until) AS until FROM care_holds
WHERE shop_id = :shop_id AND reason = :reason AND until > :now AND ended_at IS NULL
GROUP BY hold_id ORDER BY MIN(since), hold_id LIMIT :limit

-- care_overdue --
-- How many of them wait since before a time, and since when the oldest.
SELECT COUNT(DISTINCT hold_id) AS total, MIN(since) AS oldest FROM care_holds
WHERE shop_id = :shop_id AND reason = :reason AND until > :now AND ended_at IS NULL AND since < :before

-- care_project --
-- What policy reads of it, beside what the person chose themselves.
INSERT INTO preferences (shop_id, address_key, locale, updated_at, care_until, care_reason)
VALUES (:shop_id, :address_key, '', :now, :care_until, :care_reason)
ON CONFLICT (shop_id, address_key) DO UPDATE SET care_until = excluded.care_until, care_reason = excluded.care_reason

-- person_care --
-- Why they heard no advertising.
SELECT * FROM care_holds WHERE shop_id = :shop_id AND (
  order_id IN (SELECT value FROM {json_texts}(:orders))
  OR address_key IN (SELECT value FROM {json_texts}(:addresses)))

-- erase_care --
-- The reasons; what followed for policy goes with what they chose.
DELETE FROM care_holds WHERE shop_id = :shop_id AND (
  order_id IN (SELECT value FROM {json_texts}(:orders))
  OR address_key IN (SELECT value FROM {json_texts}(:addresses)))

-- wipe_care_holds --
-- Of one shop.
DELETE FROM care_holds WHERE shop_id = :shop_id AND hold_id IN (
  SELECT hold_id FROM care_holds WHERE shop_id = :shop_id LIMIT :limit)

-- case_put --
-- A new case.
INSERT INTO cases (shop_id, case_id, order_id, email_key, customer_id, kind, state, lines, reason, wish, body, locale,
  opened_at, updated_at, platform_id)
VALUES (:shop_id, :case_id, :order_id, :email_key, :customer_id, :kind, 'received', :lines, :reason, :wish, :body,
  :locale, :now, :now, '')
ON CONFLICT (shop_id, case_id) DO NOTHING

-- case_get --
-- One case.
SELECT * FROM cases WHERE shop_id = :shop_id AND case_id = :case_id

-- case_of_order --
-- What was asked about an order, the newest first.
SELECT * FROM cases WHERE shop_id = :shop_id AND order_id = :order_id ORDER BY opened_at DESC, case_id

-- case_list --
-- Of a shop, open ones before settled ones, the oldest first.
SELECT * FROM cases WHERE shop_id = :shop_id AND (:every = 1 OR state IN ('received', 'accepted', 'arrived'))
ORDER BY CASE WHEN state IN ('received', 'accepted', 'arrived') THEN 0 ELSE 1 END, opened_at, case_id LIMIT :limit

-- case_move --
-- To another state, unless somebody moved it meanwhile.
UPDATE cases SET state = :state, updated_at = :now,
  answered_at = CASE WHEN :answers = 1 AND answered_at IS NULL THEN :now ELSE answered_at END
WHERE shop_id = :shop_id AND case_id = :case_id AND state = :before

-- case_link --
-- What the platform calls it.
UPDATE cases SET platform_id = :platform_id WHERE shop_id = :shop_id AND case_id = :case_id

-- case_overdue --
-- Open cases of a shop that no person has answered, and since when the oldest waits.
SELECT COUNT(*) AS total, MIN(opened_at) AS oldest FROM cases
WHERE shop_id = :shop_id AND state IN ('received', 'accepted', 'arrived') AND answered_at IS NULL
  AND opened_at < :before

-- case_entry_put --
-- One line of its story.
INSERT INTO case_entries (shop_id, case_id, seq, at, what, by_whom, body)
VALUES (:shop_id, :case_id, (SELECT COALESCE(MAX(seq), 0) + 1 FROM case_entries
  WHERE shop_id = :shop_id AND case_id = :case_id), :now, :what, :by_whom, :body)

-- case_entries_of --
-- Its story.
SELECT seq, at, what, by_whom, body FROM case_entries
WHERE shop_id = :shop_id AND case_id = :case_id ORDER BY seq

-- case_photo_put --
-- A picture as we made it.
INSERT INTO case_photos (shop_id, photo_id, case_id, position, width, height, picture, small, created_at)
VALUES (:shop_id, :photo_id, :case_id, :position, :width, :height, :picture, :small, :now)

-- case_photos_of --
-- Which a case has, without the pictures.
SELECT photo_id, width, height FROM case_photos WHERE shop_id = :shop_id AND case_id = :case_id ORDER BY position

-- case_photo_get --
-- One, and of which case.
SELECT case_id, width, height, picture, small FROM case_photos WHERE shop_id = :shop_id AND photo_id = :photo_id

-- keep_case_photos_drop --
-- Of cases that were settled before then.
DELETE FROM case_photos WHERE shop_id = :shop_id AND photo_id IN (
  SELECT p.photo_id FROM case_photos p JOIN cases c ON c.shop_id = p.shop_id AND c.case_id = p.case_id
  WHERE p.shop_id = :shop_id AND c.updated_at < :before AND c.state NOT IN ('received', 'accepted', 'arrived')
  LIMIT :limit)

-- person_case_photos --
-- Pictures they sent with it.
SELECT * FROM case_photos WHERE shop_id = :shop_id AND case_id IN (
  SELECT case_id FROM cases WHERE shop_id = :shop_id AND (
    order_id IN (SELECT value FROM {json_texts}(:orders)) OR email_key IN (SELECT value FROM {json_texts}(:emails))))

-- erase_case_photos --
-- Before the cases, by which they are found.
DELETE FROM case_photos WHERE shop_id = :shop_id AND case_id IN (
  SELECT case_id FROM cases WHERE shop_id = :shop_id AND (
    order_id IN (SELECT value FROM {json_texts}(:orders)) OR email_key IN (SELECT value FROM {json_texts}(:emails))))

-- wipe_case_photos --
-- Of one shop.
DELETE FROM case_photos WHERE shop_id = :shop_id AND photo_id IN (
  SELECT photo_id FROM case_photos WHERE shop_id = :shop_id LIMIT :limit)

-- person_cases --
-- What they asked for.
SELECT * FROM cases WHERE shop_id = :shop_id AND (
  order_id IN (SELECT value FROM {json_texts}(:orders)) OR email_key IN (SELECT value FROM {json_texts}(:emails)))

-- person_case_entries --
-- What became of it, and what was written.
SELECT * FROM case_entries WHERE shop_id = :shop_id AND case_id IN (
  SELECT case_id FROM cases WHERE shop_id = :shop_id AND (
    order_id IN (SELECT value FROM {json_texts}(:orders)) OR email_key IN (SELECT value FROM {json_texts}(:emails))))

-- erase_case_entries --
-- Before the cases, by which they are found.
DELETE FROM case_entries WHERE shop_id = :shop_id AND case_id IN (
  SELECT case_id FROM cases WHERE shop_id = :shop_id AND (
    order_id IN (SELECT value FROM {json_texts}(:orders)) OR email_key IN (SELECT value FROM {json_texts}(:emails))))

-- erase_cases --
-- What was agreed belongs to the merchant's own records of the order.
DELETE FROM cases WHERE shop_id = :shop_id AND (
  order_id IN (SELECT value FROM {json_texts}(:orders)) OR email_key IN (SELECT value FROM {json_texts}(:emails)))

-- wipe_cases --
-- Of one shop.
DELETE FROM cases WHERE shop_id = :shop_id AND case_id IN (
  SELECT case_id FROM cases WHERE shop_id = :shop_id LIMIT :limit)

-- wipe_case_entries --
-- Of one shop.
DELETE FROM case_entries WHERE shop_id = :shop_id AND case_id IN (
  SELECT case_id FROM case_entries WHERE shop_id = :shop_id LIMIT :limit)
