-- value_name_put --
-- A name leads to an account from now on; once.
INSERT INTO value_names (shop_id, owner, account, at) VALUES (:shop_id, :owner, :account, :now)
ON CONFLICT (shop_id, owner, account) DO NOTHING

-- value_accounts_of --
-- The accounts names lead to, the first one first.
SELECT owner, account FROM value_names
WHERE shop_id = :shop_id AND owner IN (SELECT value FROM {json_texts}(:owners)) ORDER BY at, account, owner

-- value_names_of --
-- Who accounts belong to.
SELECT owner, account FROM value_names
WHERE shop_id = :shop_id AND account IN (SELECT value FROM {json_texts}(:accounts)) ORDER BY at, owner

-- value_fact_put --
-- Once told, never changed.
INSERT INTO value_facts (shop_id, fact_id, account, unit, kind, of_id, amount, at, cause, rule, version, reason, by_whom,
  parts, available_at, expires_at, recorded_at)
VALUES (:shop_id, :fact_id, :account, :unit, :kind, :of_id, :amount, :at, :cause, :rule, :version, :reason, :by_whom,
  :parts, :available_at, :expires_at, :now)
ON CONFLICT (shop_id, fact_id) DO NOTHING

-- value_facts_of --
-- All that was told of a person's accounts.
SELECT * FROM value_facts
WHERE shop_id = :shop_id AND account IN (SELECT value FROM {json_texts}(:accounts)) ORDER BY at, fact_id

-- value_facts_because --
-- What came of one cause, whoever it was for.
SELECT * FROM value_facts WHERE shop_id = :shop_id AND cause = :cause ORDER BY at, fact_id

-- value_fact_get --
-- One of them.
SELECT * FROM value_facts WHERE shop_id = :shop_id AND fact_id = :fact_id

-- value_entry_put --
-- The double entry.
INSERT INTO value_entries (shop_id, entry_id, account, unit, lot, kind, debit, credit, amount, at, cause, rule, version)
VALUES (:shop_id, :entry_id, :account, :unit, :lot, :kind, :debit, :credit, :amount, :at, :cause, :rule, :version)

-- value_entries_of --
-- The books of a person.
SELECT * FROM value_entries
WHERE shop_id = :shop_id AND account IN (SELECT value FROM {json_texts}(:accounts)) ORDER BY at, entry_id

-- value_entries_after --
-- The books of a shop, a page at a time, for whoever checks them.
SELECT * FROM value_entries WHERE shop_id = :shop_id AND entry_id > :after ORDER BY entry_id LIMIT :limit

-- value_note_put --
-- Beside an adjustment.
INSERT INTO value_notes (shop_id, fact_id, account, note) VALUES (:shop_id, :fact_id, :account, :note)
ON CONFLICT (shop_id, fact_id) DO NOTHING

-- value_notes_of --
-- What was written beside somebody's adjustments.
SELECT fact_id, note FROM value_notes
WHERE shop_id = :shop_id AND account IN (SELECT value FROM {json_texts}(:accounts))

-- value_member_put --
-- How somebody stands now.
INSERT INTO value_members (shop_id, account, look_at, state) VALUES (:shop_id, :account, :look_at, :state)
ON CONFLICT (shop_id, account) DO UPDATE SET look_at = excluded.look_at, state = excluded.state

-- value_member_get --
-- How somebody stood.
SELECT account, look_at, state FROM value_members WHERE shop_id = :shop_id AND account = :account

-- value_members_page --
-- Everybody in a shop's programme, a page at a time.
SELECT account, look_at, state FROM value_members
WHERE shop_id = :shop_id AND account > :after ORDER BY account LIMIT :limit

-- value_members_due --
-- Those whom time alone may have changed; locked by others are passed over on PostgreSQL.
SELECT shop_id, account, look_at, state FROM value_members WHERE look_at IS NOT NULL AND look_at <= :now
ORDER BY look_at LIMIT :limit {skip_locked}

-- value_members_next --
-- When the next one is.
SELECT MIN(look_at) AS look_at FROM value_members WHERE look_at IS NOT NULL

-- voucher_put --
-- Once a code.
INSERT INTO vouchers (shop_id, voucher_key, account, effect_id, kind, worth, cause, platform_id, made_at, expires_at,
  state, used_order, used_at, reason)
VALUES (:shop_id, :voucher_key, :account, :effect_id, :kind, :worth, :cause, :platform_id, :now, :expires_at,
  'issued', '', NULL, '')
ON CONFLICT (shop_id, voucher_key) DO NOTHING

-- voucher_get --
-- One of them.
SELECT * FROM vouchers WHERE shop_id = :shop_id AND voucher_key = :voucher_key

-- vouchers_of --
-- Somebody's.
SELECT * FROM vouchers
WHERE shop_id = :shop_id AND account IN (SELECT value FROM {json_texts}(:accounts)) ORDER BY made_at, voucher_key

-- vouchers_because --
-- What was given for one cause.
SELECT * FROM vouchers WHERE shop_id = :shop_id AND cause = :cause ORDER BY made_at, voucher_key

-- vouchers_used_in --
-- What an order was paid with.
SELECT * FROM vouchers WHERE shop_id = :shop_id AND used_order = :order_id AND used_order <> '' ORDER BY voucher_key

-- vouchers_exchanged --
-- Those that points were exchanged for.
SELECT cause, state FROM vouchers WHERE shop_id = :shop_id AND cause LIKE 'exchange/%' ORDER BY cause

-- voucher_move --
-- Compare and set: it is used once, voided once.
UPDATE vouchers SET state = :state, used_order = :used_order, used_at = :used_at, reason = :reason
WHERE shop_id = :shop_id AND voucher_key = :voucher_key AND state IN (SELECT value FROM {json_texts}(:only_from))

-- perk_put --
-- A coupon of a partner's list, or a seat.
INSERT INTO perk_coupons (shop_id, perk, code, place, taken_by, taken_at)
VALUES (:shop_id, :perk, :code, :place, '', NULL) ON CONFLICT (shop_id, perk, code) DO NOTHING

-- perk_taken --
-- What somebody has of a list.
SELECT code, taken_at FROM perk_coupons WHERE shop_id = :shop_id AND perk = :perk AND taken_by = :account
  AND taken_by <> ''

-- perk_free --
-- The next one; what another takes at this moment is passed over on PostgreSQL.
SELECT code FROM perk_coupons WHERE shop_id = :shop_id AND perk = :perk AND taken_by = ''
ORDER BY place, code LIMIT 1 {skip_locked}

-- perk_take --
-- Compare and set: it goes to one.
UPDATE perk_coupons SET taken_by = :account, taken_at = :now
WHERE shop_id = :shop_id AND perk = :perk AND code = :code AND taken_by = ''

-- perk_counts --
-- How many of each list are left.
SELECT perk, COUNT(*) AS coupons, SUM(CASE WHEN taken_by = '' THEN 1 ELSE 0 END) AS left_over, MAX(place) AS last
FROM perk_coupons WHERE shop_id = :shop_id GROUP BY perk ORDER BY perk

-- perk_opening_put --
-- Whoever sees first that early access began.
INSERT INTO perk_openings (shop_id, perk, begins, at) VALUES (:shop_id, :perk, :begins, :now)
ON CONFLICT (shop_id, perk, begins) DO NOTHING

-- perk_opening_get --
-- Whether somebody saw it.
SELECT at FROM perk_openings WHERE shop_id = :shop_id AND perk = :perk AND begins = :begins

-- value_members_look --
-- Everybody of a shop is looked at soon.
UPDATE value_members SET look_at = :now WHERE shop_id = :shop_id AND (look_at IS NULL OR look_at > :now)

-- value_open --
-- The shop is wiped: its books may go, in this transaction.
INSERT INTO value_openings (shop_id) VALUES (:shop_id) ON CONFLICT (shop_id) DO NOTHING

-- value_close --
-- The end of that.
DELETE FROM value_openings WHERE shop_id = :shop_id

-- person_value_names --
-- Which accounts of value are theirs.
SELECT * FROM value_names WHERE shop_id = :shop_id AND owner IN (SELECT value FROM {json_texts}(:owners))

-- person_value_facts --
-- What was told of them.
SELECT value_facts.* FROM value_facts JOIN value_names
  ON value_names.shop_id = value_facts.shop_id AND value_names.account = value_facts.account
WHERE value_names.shop_id = :shop_id AND value_names.owner IN (SELECT value FROM {json_texts}(:owners))

-- person_value_entries --
-- Their books.
SELECT value_entries.* FROM value_entries JOIN value_names
  ON value_names.shop_id = value_entries.shop_id AND value_names.account = value_entries.account
WHERE value_names.shop_id = :shop_id AND value_names.owner IN (SELECT value FROM {json_texts}(:owners))

-- person_value_notes --
-- What was written beside.
SELECT * FROM value_notes WHERE shop_id = :shop_id AND account IN (SELECT account FROM value_names
  WHERE shop_id = :shop_id AND owner IN (SELECT value FROM {json_texts}(:owners)))

-- person_value_members --
-- How they stand in the programme.
SELECT * FROM value_members WHERE shop_id = :shop_id AND account IN (SELECT account FROM value_names
  WHERE shop_id = :shop_id AND owner IN (SELECT value FROM {json_texts}(:owners)))

-- person_vouchers --
-- What they were given.
SELECT * FROM vouchers WHERE shop_id = :shop_id AND account IN (SELECT account FROM value_names
  WHERE shop_id = :shop_id AND owner IN (SELECT value FROM {json_texts}(:owners)))

-- person_perks --
-- Coupons and seats of theirs.
SELECT * FROM perk_coupons WHERE shop_id = :shop_id AND taken_by IN (SELECT account FROM value_names
  WHERE shop_id = :shop_id AND owner IN (SELECT value FROM {json_texts}(:owners)))

-- erase_value_notes --
-- Free text.
DELETE FROM value_notes WHERE shop_id = :shop_id AND account IN (SELECT account FROM value_names
  WHERE shop_id = :shop_id AND owner IN (SELECT value FROM {json_texts}(:owners)))

-- erase_value_members --
-- Nobody stands there any more.
DELETE FROM value_members WHERE shop_id = :shop_id AND account IN (SELECT account FROM value_names
  WHERE shop_id = :shop_id AND owner IN (SELECT value FROM {json_texts}(:owners)))

-- erase_vouchers --
-- Codes are worth something only to them.
DELETE FROM vouchers WHERE shop_id = :shop_id AND account IN (SELECT account FROM value_names
  WHERE shop_id = :shop_id AND owner IN (SELECT value FROM {json_texts}(:owners)))

-- erase_value_names --
-- Last of all: from now on the books are nobody's.
DELETE FROM value_names WHERE shop_id = :shop_id AND owner IN (SELECT value FROM {json_texts}(:owners))

-- wipe_value_names --
-- Of one shop.
DELETE FROM value_names WHERE shop_id = :shop_id

-- wipe_value_facts --
-- Of one shop.
DELETE FROM value_facts WHERE shop_id = :shop_id

-- wipe_value_entries --
-- Of one shop.
DELETE FROM value_entries WHERE shop_id = :shop_id

-- wipe_value_notes --
-- Of one shop.
DELETE FROM value_notes WHERE shop_id = :shop_id

-- wipe_value_members --
-- Of one shop.
DELETE FROM value_members WHERE shop_id = :shop_id

-- wipe_vouchers --
-- Of one shop.
DELETE FROM vouchers WHERE shop_id = :shop_id

-- wipe_perk_openings --
-- Of one shop.
DELETE FROM perk_openings WHERE shop_id = :shop_id

-- wipe_perk_coupons --
-- Of one shop.
DELETE FROM perk_coupons WHERE shop_id = :shop_id
