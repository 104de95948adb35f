-- Everything of a shop, a piece at a time so that nobody waits long; run by connector.store.people.wipe_shop.

-- wipe_orders --
-- Of one shop.
DELETE FROM orders WHERE shop_id = :shop_id AND order_id IN (
  SELECT order_id FROM orders WHERE shop_id = :shop_id LIMIT :limit)

-- wipe_customers --
-- Of one shop.
DELETE FROM customers WHERE shop_id = :shop_id AND customer_id IN (
  SELECT customer_id FROM customers WHERE shop_id = :shop_id LIMIT :limit)

-- wipe_products --
-- Of one shop.
DELETE FROM products WHERE shop_id = :shop_id AND product_id IN (
  SELECT product_id FROM products WHERE shop_id = :shop_id LIMIT :limit)

-- wipe_checkouts --
-- Of one shop.
DELETE FROM checkouts WHERE shop_id = :shop_id AND token IN (
  SELECT token FROM checkouts WHERE shop_id = :shop_id LIMIT :limit)

-- wipe_shipments --
-- Of one shop.
DELETE FROM shipments WHERE shop_id = :shop_id AND shipment_id IN (
  SELECT shipment_id FROM shipments WHERE shop_id = :shop_id LIMIT :limit)

-- wipe_shipment_events --
-- Of one shop.
DELETE FROM shipment_events WHERE shop_id = :shop_id AND shipment_event_id IN (
  SELECT shipment_event_id FROM shipment_events WHERE shop_id = :shop_id LIMIT :limit)

-- wipe_refunds --
-- Of one shop.
DELETE FROM refunds WHERE shop_id = :shop_id AND refund_id IN (
  SELECT refund_id FROM refunds WHERE shop_id = :shop_id LIMIT :limit)

-- wipe_returns --
-- Of one shop.
DELETE FROM returns WHERE shop_id = :shop_id AND return_id IN (
  SELECT return_id FROM returns WHERE shop_id = :shop_id LIMIT :limit)

-- wipe_events --
-- Of one shop.
DELETE FROM events WHERE shop_id = :shop_id AND event_key IN (
  SELECT event_key FROM events WHERE shop_id = :shop_id LIMIT :limit)

-- wipe_consents --
-- Of one shop.
DELETE FROM consents WHERE shop_id = :shop_id AND seq IN (
  SELECT seq FROM consents WHERE shop_id = :shop_id LIMIT :limit)

-- wipe_channel_events --
-- Of one shop. Several events may be of one effect: all of those go.
DELETE FROM channel_events WHERE shop_id = :shop_id AND effect_id IN (
  SELECT effect_id FROM channel_events WHERE shop_id = :shop_id LIMIT :limit)

-- wipe_suppressions --
-- Of one shop.
DELETE FROM suppressions WHERE shop_id = :shop_id

-- wipe_flow_versions --
-- Of one shop.
DELETE FROM flow_versions WHERE shop_id = :shop_id

-- wipe_journal --
-- Of one shop.
DELETE FROM journal WHERE shop_id = :shop_id AND seq IN (
  SELECT seq FROM journal WHERE shop_id = :shop_id LIMIT :limit)

-- wipe_runs --
-- Of one shop.
DELETE FROM runs WHERE shop_id = :shop_id AND run_id IN (
  SELECT run_id FROM runs WHERE shop_id = :shop_id LIMIT :limit)

-- wipe_effect_contents --
-- Of one shop.
DELETE FROM effect_contents WHERE shop_id = :shop_id AND effect_id IN (
  SELECT effect_id FROM effect_contents WHERE shop_id = :shop_id LIMIT :limit)

-- wipe_effects --
-- Of one shop.
DELETE FROM effects WHERE shop_id = :shop_id AND effect_id IN (
  SELECT effect_id FROM effects WHERE shop_id = :shop_id LIMIT :limit)

-- wipe_review_history --
-- Of one shop.
DELETE FROM review_history WHERE shop_id = :shop_id AND review_id IN (
  SELECT review_id FROM review_history WHERE shop_id = :shop_id LIMIT :limit)

-- wipe_review_photos --
-- Of one shop.
DELETE FROM review_photos WHERE shop_id = :shop_id AND photo_id IN (
  SELECT photo_id FROM review_photos WHERE shop_id = :shop_id LIMIT :limit)

-- wipe_reviews --
-- Of one shop.
DELETE FROM reviews WHERE shop_id = :shop_id AND review_id IN (
  SELECT review_id FROM reviews WHERE shop_id = :shop_id LIMIT :limit)

-- wipe_referral_codes --
-- Of one shop.
DELETE FROM referral_codes WHERE shop_id = :shop_id AND code_key IN (
  SELECT code_key FROM referral_codes WHERE shop_id = :shop_id LIMIT :limit)

-- wipe_referrals --
-- Of one shop.
DELETE FROM referrals WHERE shop_id = :shop_id AND referral_id IN (
  SELECT referral_id FROM referrals WHERE shop_id = :shop_id LIMIT :limit)

-- wipe_links --
-- Of one shop.
DELETE FROM links WHERE shop_id = :shop_id AND token IN (
  SELECT token FROM links WHERE shop_id = :shop_id LIMIT :limit)

-- wipe_delivery_progress --
-- Of one shop.
DELETE FROM delivery_progress WHERE shop_id = :shop_id AND delivery_id IN (
  SELECT delivery_id FROM delivery_progress WHERE shop_id = :shop_id LIMIT :limit)

-- wipe_privacy_exports --
-- Of one shop.
DELETE FROM privacy_exports WHERE shop_id = :shop_id

-- wipe_erasures --
-- Of one shop.
DELETE FROM erasures WHERE shop_id = :shop_id

-- wipe_jobs --
-- Of one shop.
DELETE FROM jobs WHERE shop_id = :shop_id AND kind IN (SELECT kind FROM jobs WHERE shop_id = :shop_id LIMIT :limit)

-- wipe_job_reports --
-- Of one shop.
DELETE FROM job_reports WHERE shop_id = :shop_id AND seq IN (
  SELECT seq FROM job_reports WHERE shop_id = :shop_id LIMIT :limit)

-- wipe_change_reads --
-- Of one shop.
DELETE FROM change_reads WHERE shop_id = :shop_id AND object_id IN (
  SELECT object_id FROM change_reads WHERE shop_id = :shop_id LIMIT :limit)

-- wipe_recoveries --
-- Of one shop.
DELETE FROM recoveries WHERE shop_id = :shop_id AND order_id IN (
  SELECT order_id FROM recoveries WHERE shop_id = :shop_id LIMIT :limit)

-- wipe_wakeups --
-- Of one shop.
DELETE FROM wakeups WHERE shop_id = :shop_id AND (flow_id, subject_kind, subject_id) IN (
  SELECT flow_id, subject_kind, subject_id FROM wakeups WHERE shop_id = :shop_id LIMIT :limit)

-- wipe_armings --
-- Of one shop.
DELETE FROM armings WHERE shop_id = :shop_id AND flow_id IN (
  SELECT flow_id FROM armings WHERE shop_id = :shop_id LIMIT :limit)

-- wipe_applied_states --
-- Of one shop.
DELETE FROM applied_states WHERE shop_id = :shop_id
  AND state IN (SELECT state FROM applied_states WHERE shop_id = :shop_id LIMIT :limit)

-- wipe_engagements --
-- Of one shop.
DELETE FROM engagements WHERE shop_id = :shop_id
  AND address_key IN (SELECT address_key FROM engagements WHERE shop_id = :shop_id LIMIT :limit)

-- wipe_objections --
-- Of one shop.
DELETE FROM objections WHERE shop_id = :shop_id
  AND objection_id IN (SELECT objection_id FROM objections WHERE shop_id = :shop_id LIMIT :limit)

-- wipe_flow_pauses --
-- Of one shop.
DELETE FROM flow_pauses WHERE shop_id = :shop_id
  AND flow_id IN (SELECT flow_id FROM flow_pauses WHERE shop_id = :shop_id LIMIT :limit)

-- wipe_standings --
-- Of one shop.
DELETE FROM standings WHERE shop_id = :shop_id AND name IN (
  SELECT name FROM standings WHERE shop_id = :shop_id LIMIT :limit)

-- wipe_segments --
-- Of one shop.
DELETE FROM segment_members WHERE shop_id = :shop_id AND name IN (
  SELECT name FROM segment_members WHERE shop_id = :shop_id LIMIT :limit)

-- wipe_shop_figures --
-- One row.
DELETE FROM shop_figures WHERE shop_id = :shop_id AND :limit > 0

-- wipe_product_figures --
-- Of one shop.
DELETE FROM product_figures WHERE shop_id = :shop_id AND product_id IN (
  SELECT product_id FROM product_figures WHERE shop_id = :shop_id LIMIT :limit)
