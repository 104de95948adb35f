-- figures_of_shop --
-- One shop's.
SELECT shop_id, due_at, counted_at, figures, segments FROM shop_figures WHERE shop_id = :shop_id

-- figures_put_shop --
-- Whole: one worker writes it at a time, see figures_hold.
INSERT INTO shop_figures (shop_id, due_at, counted_at, figures, segments)
VALUES (:shop_id, :due_at, :counted_at, :figures, :segments)
ON CONFLICT (shop_id) DO UPDATE SET due_at = excluded.due_at, counted_at = excluded.counted_at,
  figures = excluded.figures, segments = excluded.segments

-- figures_due --
-- Whose count is due.
SELECT shop_id, due_at, counted_at, figures, segments FROM shop_figures
WHERE due_at <= :now ORDER BY due_at, shop_id LIMIT :limit

-- figures_next_due --
-- When one is.
SELECT MIN(due_at) AS due_at FROM shop_figures

-- figures_hold --
-- One worker counts a shop; should it die, another begins anew when this time has come.
UPDATE shop_figures SET due_at = :until WHERE shop_id = :shop_id AND due_at = :due_at

-- figures_of_products --
-- By a JSON list of ids.
SELECT product_id, figures FROM product_figures
WHERE shop_id = :shop_id AND product_id IN (SELECT value FROM {json_texts}(:ids))

-- figures_all_products --
-- Every product's, for a person to read.
SELECT product_id, figures FROM product_figures WHERE shop_id = :shop_id ORDER BY product_id

-- figures_put_product --
-- The last count stands.
INSERT INTO product_figures (shop_id, product_id, counted_at, figures)
VALUES (:shop_id, :product_id, :counted_at, :figures)
ON CONFLICT (shop_id, product_id) DO UPDATE SET counted_at = excluded.counted_at, figures = excluded.figures

-- figures_drop_products --
-- What the last count did not find.
DELETE FROM product_figures WHERE shop_id = :shop_id AND counted_at < :before

-- purchase_page --
-- The next purchases by address: a count of the whole history goes over it a page at a time.
SELECT email_key, order_id, placed_at, bought, CASE WHEN bought IS NULL THEN snapshot END AS snapshot
FROM orders WHERE shop_id = :shop_id AND email_key > :after AND deleted = 0 AND (bought IS NULL OR bought <> '')
ORDER BY email_key, placed_at LIMIT :limit

-- purchase_of_address --
-- Somebody with more purchases than a page holds.
SELECT email_key, order_id, placed_at, bought, CASE WHEN bought IS NULL THEN snapshot END AS snapshot
FROM orders WHERE shop_id = :shop_id AND email_key = :email_key AND deleted = 0 AND (bought IS NULL OR bought <> '')

-- people_page --
-- The next addresses: each side is a walk along its index that stops at the limit.
SELECT email_key FROM (
  SELECT * FROM (SELECT DISTINCT email_key FROM orders
    WHERE shop_id = :shop_id AND email_key > :after AND deleted = 0 ORDER BY email_key LIMIT :limit) AS buyers
  UNION
  SELECT * FROM (SELECT DISTINCT email_key FROM customers
    WHERE shop_id = :shop_id AND email_key > :after AND deleted = 0 ORDER BY email_key LIMIT :limit) AS accounts
) AS people ORDER BY email_key LIMIT :limit

-- standing_touch --
-- Something about a person changed. Loud news makes a quiet look loud, not the other way round.
INSERT INTO standings (shop_id, name, email_key, customer_id, quiet, look_at)
VALUES (:shop_id, :name, :email_key, :customer_id, :quiet, :now)
ON CONFLICT (shop_id, name) DO UPDATE SET look_at = excluded.look_at,
  quiet = CASE WHEN standings.look_at <= excluded.look_at AND standings.quiet < excluded.quiet THEN standings.quiet
    ELSE excluded.quiet END,
  email_key = COALESCE(excluded.email_key, standings.email_key),
  customer_id = COALESCE(excluded.customer_id, standings.customer_id)

-- standing_due --
-- Whose look is due.
SELECT shop_id, name, email_key, customer_id, quiet, look_at, looked_at FROM standings
WHERE look_at <= :now ORDER BY look_at, shop_id, name LIMIT :limit {skip_locked}

-- standing_next_due --
-- When one is.
SELECT MIN(look_at) AS look_at FROM standings WHERE look_at IS NOT NULL

-- standing_get --
-- One person's.
SELECT shop_id, name, email_key, customer_id, quiet, look_at, looked_at FROM standings
WHERE shop_id = :shop_id AND name = :name

-- standing_looked --
-- Looked at, also somebody nobody had touched.
INSERT INTO standings (shop_id, name, email_key, customer_id, quiet, look_at, looked_at)
VALUES (:shop_id, :name, :email_key, :customer_id, 0, :look_at, :now)
ON CONFLICT (shop_id, name) DO UPDATE SET quiet = 0, look_at = excluded.look_at, looked_at = excluded.looked_at,
  email_key = COALESCE(excluded.email_key, standings.email_key),
  customer_id = COALESCE(excluded.customer_id, standings.customer_id)

-- standing_remove --
-- The name is no longer anybody's.
DELETE FROM standings WHERE shop_id = :shop_id AND name = :name

-- member_put --
-- Once.
INSERT INTO segment_members (shop_id, segment, name, since) VALUES (:shop_id, :segment, :name, :since)
ON CONFLICT (shop_id, segment, name) DO NOTHING

-- member_remove --
-- They left.
DELETE FROM segment_members WHERE shop_id = :shop_id AND segment = :segment AND name = :name

-- member_remove_all --
-- Of a name that is no longer anybody's.
DELETE FROM segment_members WHERE shop_id = :shop_id AND name = :name

-- member_of_name --
-- What somebody is in.
SELECT segment, since FROM segment_members WHERE shop_id = :shop_id AND name = :name ORDER BY segment

-- member_page --
-- Who is in it, by name.
SELECT name, since FROM segment_members
WHERE shop_id = :shop_id AND segment = :segment AND name > :after ORDER BY name LIMIT :limit

-- member_counts --
-- How many are in each.
SELECT segment, COUNT(*) AS members FROM segment_members WHERE shop_id = :shop_id GROUP BY segment ORDER BY segment

-- member_drop_segment --
-- It is no longer defined.
DELETE FROM segment_members WHERE shop_id = :shop_id AND segment = :segment
