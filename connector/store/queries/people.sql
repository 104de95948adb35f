-- person_orders --
-- A person's orders: placed with their address or their account, or named by whoever asks.
SELECT order_id, email_key, customer_id, snapshot FROM orders WHERE shop_id = :shop_id AND (
  order_id IN (SELECT value FROM {json_texts}(:orders))
  OR email_key IN (SELECT value FROM {json_texts}(:emails))
  OR customer_id IN (SELECT value FROM {json_texts}(:customers)))

-- person_customers --
-- A person's accounts.
SELECT customer_id, email_key, snapshot FROM customers WHERE shop_id = :shop_id AND (
  customer_id IN (SELECT value FROM {json_texts}(:customers))
  OR email_key IN (SELECT value FROM {json_texts}(:emails)))

-- person_checkouts --
-- All checkouts of a shop a page at a time: whose they are stands inside them.
SELECT token, snapshot FROM checkouts WHERE shop_id = :shop_id AND token > :after_token AND snapshot IS NOT NULL
ORDER BY token LIMIT :limit

-- person_links --
-- All links of a shop a page at a time: whose they are stands inside them.
SELECT token, kind, data FROM links WHERE shop_id = :shop_id AND token > :after_token ORDER BY token LIMIT :limit

-- person_shipments --
-- What was sent to them.
SELECT * FROM shipments WHERE shop_id = :shop_id AND order_id IN (SELECT value FROM {json_texts}(:orders))

-- person_shipment_events --
-- Where it was on the way.
SELECT * FROM shipment_events WHERE shop_id = :shop_id AND order_id IN (SELECT value FROM {json_texts}(:orders))

-- person_refunds --
-- Money that went back to them.
SELECT * FROM refunds WHERE shop_id = :shop_id AND order_id IN (SELECT value FROM {json_texts}(:orders))

-- person_returns --
-- What they sent back.
SELECT * FROM returns WHERE shop_id = :shop_id AND order_id IN (SELECT value FROM {json_texts}(:orders))

-- person_events --
-- What happened to them.
SELECT * FROM events WHERE shop_id = :shop_id AND (
  order_id IN (SELECT value FROM {json_texts}(:orders))
  OR customer_id IN (SELECT value FROM {json_texts}(:customers))
  OR (subject_kind = 'customer' AND subject_id IN (SELECT value FROM {json_texts}(:customers)))
  OR (subject_kind = 'checkout' AND subject_id IN (SELECT value FROM {json_texts}(:checkouts))))

-- person_consents --
-- What they said.
SELECT * FROM consents WHERE shop_id = :shop_id AND (
  address_key IN (SELECT value FROM {json_texts}(:addresses))
  OR customer_id IN (SELECT value FROM {json_texts}(:customers)))

-- person_suppressions --
-- What is not to be sent to them.
SELECT * FROM suppressions WHERE shop_id = :shop_id AND address_key IN (SELECT value FROM {json_texts}(:addresses))

-- person_engagements --
-- When they last showed that they care.
SELECT * FROM engagements WHERE shop_id = :shop_id AND address_key IN (SELECT value FROM {json_texts}(:addresses))

-- person_runs --
-- Their ways through flows.
SELECT * FROM runs WHERE shop_id = :shop_id AND (
  order_id IN (SELECT value FROM {json_texts}(:orders))
  OR email_key IN (SELECT value FROM {json_texts}(:emails))
  OR customer_id IN (SELECT value FROM {json_texts}(:customers)))

-- person_journal --
-- Why each went as it did.
SELECT run_id, at, step_id, what, detail FROM journal
WHERE shop_id = :shop_id AND run_id IN (SELECT value FROM {json_texts}(:runs)) ORDER BY seq

-- person_effects --
-- What was sent to them or done for them.
SELECT * FROM effects WHERE shop_id = :shop_id AND (
  run_id IN (SELECT value FROM {json_texts}(:runs))
  OR order_id IN (SELECT value FROM {json_texts}(:orders))
  OR (recipient_key IN (SELECT value FROM {json_texts}(:emails)) AND recipient_key <> ''))

-- person_contents --
-- The messages themselves.
SELECT effect_id, encoding, content FROM effect_contents
WHERE shop_id = :shop_id AND effect_id IN (SELECT value FROM {json_texts}(:effects))

-- person_reviews --
-- What they said about products.
SELECT * FROM reviews WHERE shop_id = :shop_id AND (
  order_id IN (SELECT value FROM {json_texts}(:orders)) OR email_key IN (SELECT value FROM {json_texts}(:emails)))

-- person_review_history --
-- What they had said before, and what became of it.
SELECT * FROM review_history WHERE shop_id = :shop_id AND review_id IN (
  SELECT review_id FROM reviews WHERE shop_id = :shop_id AND (
    order_id IN (SELECT value FROM {json_texts}(:orders)) OR email_key IN (SELECT value FROM {json_texts}(:emails))))

-- person_review_photos --
-- Pictures they sent.
SELECT * FROM review_photos
WHERE shop_id = :shop_id AND review_id IN (
  SELECT review_id FROM reviews WHERE shop_id = :shop_id AND (
    order_id IN (SELECT value FROM {json_texts}(:orders)) OR email_key IN (SELECT value FROM {json_texts}(:emails))))

-- person_referral_codes --
-- Codes of theirs.
SELECT * FROM referral_codes WHERE shop_id = :shop_id AND (
  advocate_email_key IN (SELECT value FROM {json_texts}(:emails))
  OR advocate_customer_id IN (SELECT value FROM {json_texts}(:customers)))

-- person_referrals --
-- Whom they brought, and who brought them.
SELECT * FROM referrals WHERE shop_id = :shop_id AND (
  advocate_email_key IN (SELECT value FROM {json_texts}(:emails))
  OR friend_email_key IN (SELECT value FROM {json_texts}(:emails))
  OR friend_order_id IN (SELECT value FROM {json_texts}(:orders)))

-- person_standings --
-- When they are looked at.
SELECT * FROM standings WHERE shop_id = :shop_id AND (
  name IN (SELECT value FROM {json_texts}(:names))
  OR customer_id IN (SELECT value FROM {json_texts}(:customers)))

-- person_segments --
-- The segments they are in.
SELECT * FROM segment_members WHERE shop_id = :shop_id AND (
  name IN (SELECT value FROM {json_texts}(:names))
  OR name IN (SELECT s.name FROM standings s WHERE s.shop_id = :shop_id
    AND s.customer_id IN (SELECT value FROM {json_texts}(:customers))))

-- erase_standings --
-- Nobody is looked at any more.
DELETE FROM standings WHERE shop_id = :shop_id AND (
  name IN (SELECT value FROM {json_texts}(:names))
  OR email_key IN (SELECT value FROM {json_texts}(:emails))
  OR customer_id IN (SELECT value FROM {json_texts}(:customers)))

-- erase_segments --
-- And they are in none. Before the standings, which tell what other names their account has.
DELETE FROM segment_members WHERE shop_id = :shop_id AND (
  name IN (SELECT value FROM {json_texts}(:names))
  OR name IN (SELECT s.name FROM standings s WHERE s.shop_id = :shop_id
    AND s.customer_id IN (SELECT value FROM {json_texts}(:customers))))

-- erase_orders --
-- The id stays, empty, so that a late repetition of an old delivery is older than what is known.
UPDATE orders SET number = NULL, email_key = NULL, customer_id = NULL, placed_at = NULL, deleted = 1, snapshot = NULL,
  bought = NULL
WHERE shop_id = :shop_id AND order_id IN (SELECT value FROM {json_texts}(:orders))

-- erase_customers --
-- The same for accounts.
UPDATE customers SET email_key = NULL, deleted = 1, snapshot = NULL
WHERE shop_id = :shop_id AND customer_id IN (SELECT value FROM {json_texts}(:customers))

-- erase_change_reads --
-- That an account was looked at lately.
DELETE FROM change_reads
WHERE shop_id = :shop_id AND kind = 'customer' AND object_id IN (SELECT value FROM {json_texts}(:customers))

-- erase_checkouts --
-- And for checkouts.
UPDATE checkouts SET deleted = 1, snapshot = NULL
WHERE shop_id = :shop_id AND token IN (SELECT value FROM {json_texts}(:checkouts))

-- erase_links --
-- A link of theirs leads nowhere now.
DELETE FROM links WHERE shop_id = :shop_id AND token IN (SELECT value FROM {json_texts}(:links))

-- erase_shipments --
-- Parcels.
DELETE FROM shipments WHERE shop_id = :shop_id AND order_id IN (SELECT value FROM {json_texts}(:orders))

-- erase_shipment_events --
-- And their way.
DELETE FROM shipment_events WHERE shop_id = :shop_id AND order_id IN (SELECT value FROM {json_texts}(:orders))

-- erase_refunds --
-- Notes and lines of refunds.
DELETE FROM refunds WHERE shop_id = :shop_id AND order_id IN (SELECT value FROM {json_texts}(:orders))

-- erase_returns --
-- Notes and lines of returns.
DELETE FROM returns WHERE shop_id = :shop_id AND order_id IN (SELECT value FROM {json_texts}(:orders))

-- erase_events --
-- The keys stay: the same event must not happen a second time.
UPDATE events SET customer_id = NULL, data = '{{}}' WHERE shop_id = :shop_id AND (
  order_id IN (SELECT value FROM {json_texts}(:orders))
  OR customer_id IN (SELECT value FROM {json_texts}(:customers))
  OR (subject_kind = 'customer' AND subject_id IN (SELECT value FROM {json_texts}(:customers)))
  OR (subject_kind = 'checkout' AND subject_id IN (SELECT value FROM {json_texts}(:checkouts))))

-- erase_consents --
-- The objection lives on as a keyed hash (erasures).
DELETE FROM consents WHERE shop_id = :shop_id AND (
  address_key IN (SELECT value FROM {json_texts}(:addresses))
  OR customer_id IN (SELECT value FROM {json_texts}(:customers)))

-- erase_suppressions --
-- Likewise.
DELETE FROM suppressions WHERE shop_id = :shop_id AND address_key IN (SELECT value FROM {json_texts}(:addresses))

-- erase_journal --
-- Before the runs it belongs to.
DELETE FROM journal WHERE shop_id = :shop_id AND run_id IN (SELECT value FROM {json_texts}(:runs))

-- erase_engagements --
-- When they last showed that they care.
DELETE FROM engagements WHERE shop_id = :shop_id AND address_key IN (SELECT value FROM {json_texts}(:addresses))

-- erase_runs --
-- Nothing of theirs goes on.
DELETE FROM runs WHERE shop_id = :shop_id AND run_id IN (SELECT value FROM {json_texts}(:runs))

-- person_wakeups --
-- What flows wait for because of them.
SELECT * FROM wakeups WHERE shop_id = :shop_id AND (
  order_id IN (SELECT value FROM {json_texts}(:orders))
  OR email_key IN (SELECT value FROM {json_texts}(:emails))
  OR customer_id IN (SELECT value FROM {json_texts}(:customers))
  OR (subject_kind = 'checkout' AND subject_id IN (SELECT value FROM {json_texts}(:checkouts))))

-- erase_wakeups --
-- No flow waits for them any more.
DELETE FROM wakeups WHERE shop_id = :shop_id AND (
  order_id IN (SELECT value FROM {json_texts}(:orders))
  OR email_key IN (SELECT value FROM {json_texts}(:emails))
  OR customer_id IN (SELECT value FROM {json_texts}(:customers))
  OR (subject_kind = 'checkout' AND subject_id IN (SELECT value FROM {json_texts}(:checkouts))))

-- person_channel_events --
-- What became of what was sent to them, and what they answered.
SELECT * FROM channel_events
WHERE shop_id = :shop_id AND effect_id IN (SELECT value FROM {json_texts}(:effects))

-- erase_channel_events --
-- What became of what was sent to them, and what they answered.
DELETE FROM channel_events WHERE shop_id = :shop_id AND effect_id IN (SELECT value FROM {json_texts}(:effects))

-- erase_contents --
-- The messages themselves.
DELETE FROM effect_contents WHERE shop_id = :shop_id AND effect_id IN (SELECT value FROM {json_texts}(:effects))

-- erase_effect --
-- What is left says that something of this kind was done on this day, under an id made by chance.
UPDATE effects SET effect_id = :new_id, run_id = '', request = '{{}}', order_id = NULL, recipient = '',
  recipient_key = '', subject = '', provider_id = '', reason = '', result = '{{}}', message_key = NULL,
  status = CASE WHEN status IN ('pending', 'sending', 'held') THEN 'skipped' ELSE status END, lease_until = NULL
WHERE shop_id = :shop_id AND effect_id = :effect_id

-- erase_review_history --
-- What they had said before.
DELETE FROM review_history WHERE shop_id = :shop_id AND review_id IN (
  SELECT review_id FROM reviews WHERE shop_id = :shop_id AND (
    order_id IN (SELECT value FROM {json_texts}(:orders)) OR email_key IN (SELECT value FROM {json_texts}(:emails))))

-- erase_review_photos --
-- Pictures they sent.
DELETE FROM review_photos WHERE shop_id = :shop_id AND review_id IN (
  SELECT review_id FROM reviews WHERE shop_id = :shop_id AND (
    order_id IN (SELECT value FROM {json_texts}(:orders)) OR email_key IN (SELECT value FROM {json_texts}(:emails))))

-- erase_reviews --
-- Here; what was published is taken back by effects of its own (flows.reviews.publication).
DELETE FROM reviews WHERE shop_id = :shop_id AND (
  order_id IN (SELECT value FROM {json_texts}(:orders)) OR email_key IN (SELECT value FROM {json_texts}(:emails)))

-- erase_referral_codes --
-- Codes of theirs.
DELETE FROM referral_codes WHERE shop_id = :shop_id AND (
  advocate_email_key IN (SELECT value FROM {json_texts}(:emails))
  OR advocate_customer_id IN (SELECT value FROM {json_texts}(:customers)))

-- erase_referrals --
-- The other side keeps its reward; who brought whom is forgotten.
UPDATE referrals SET evidence = '', note = '',
  friend_hash = CASE WHEN friend_email_key IN (SELECT value FROM {json_texts}(:emails)) THEN '' ELSE friend_hash END,
  advocate_email_key = CASE WHEN advocate_email_key IN (SELECT value FROM {json_texts}(:emails)) THEN ''
    ELSE advocate_email_key END,
  friend_email_key = CASE WHEN friend_email_key IN (SELECT value FROM {json_texts}(:emails)) THEN NULL
    ELSE friend_email_key END,
  friend_order_id = CASE WHEN friend_order_id IN (SELECT value FROM {json_texts}(:orders)) THEN ''
    ELSE friend_order_id END
WHERE shop_id = :shop_id AND (
  advocate_email_key IN (SELECT value FROM {json_texts}(:emails))
  OR friend_email_key IN (SELECT value FROM {json_texts}(:emails))
  OR friend_order_id IN (SELECT value FROM {json_texts}(:orders)))

-- erase_exports --
-- What was gathered about them earlier.
DELETE FROM privacy_exports WHERE shop_id = :shop_id AND subject_key IN (SELECT value FROM {json_texts}(:keys))

-- erase_requests --
-- Who asked is forgotten with them; that somebody asked stays.
UPDATE privacy_requests SET subject = '{{}}'
WHERE shop_id = :shop_id AND subject_key IN (SELECT value FROM {json_texts}(:keys)) AND request_id <> :request_id

-- inbox_of_shop --
-- A shop's deliveries a page at a time.
SELECT id, shop_id, platform, topic, dedup_key, received_at, quarantine, headers, encoding, body
FROM inbox WHERE shop_id = :shop_id AND id > :after_id ORDER BY id LIMIT :limit

-- inbox_blank --
-- The delivery stays known, so that it is not taken a second time; what it said is gone.
UPDATE inbox SET body = :body, encoding = 0 WHERE shop_id = :shop_id AND id = :id

-- inbox_wipe --
-- Everything a shop ever sent, a piece at a time.
DELETE FROM inbox WHERE shop_id = :shop_id AND id IN (SELECT id FROM inbox WHERE shop_id = :shop_id LIMIT :limit)

-- progress_erased --
-- Deliveries whose person was forgotten before they were read.
SELECT delivery_id FROM delivery_progress WHERE shop_id = :shop_id AND status = 'ignored' AND error_text = :note
