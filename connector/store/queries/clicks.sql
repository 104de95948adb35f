-- short_link_put --
-- Once an address.
INSERT INTO short_links (shop_id, url_id, url, owner, created_at) VALUES (:shop_id, :url_id, :url, :owner, :now)
ON CONFLICT (shop_id, url_id) DO NOTHING

-- short_link_get --
-- What the id in a short link stands for.
SELECT shop_id, url_id, url FROM short_links WHERE url_id = :url_id

-- click_message --
-- The message whose key begins so. Keys are lower-case letters and digits, which every collation puts in this order.
SELECT * FROM effects WHERE message_key >= :low AND message_key <= :high AND message_key IS NOT NULL
ORDER BY message_key LIMIT 4

-- click_put --
-- Somebody followed a link, or something did. Beyond `most` of one message nothing is learnt from more.
INSERT INTO clicks (shop_id, click_id, effect_id, url_id, at, verdict)
SELECT :shop_id, :click_id, :effect_id, :url_id, :at, :verdict
WHERE (SELECT COUNT(*) FROM clicks WHERE shop_id = :shop_id AND effect_id = :effect_id) < :most

-- click_of_effect --
-- Every click of a message, oldest first, with where it led.
SELECT c.click_id, c.url_id, c.at, c.verdict, COALESCE(s.url, '') AS url FROM clicks c
LEFT JOIN short_links s ON s.shop_id = c.shop_id AND s.url_id = c.url_id
WHERE c.shop_id = :shop_id AND c.effect_id = :effect_id ORDER BY c.at, c.click_id

-- click_new --
-- What nothing can change any more and nobody has judged, oldest first.
SELECT shop_id, click_id, effect_id, url_id, at FROM clicks WHERE verdict = 'new' AND at <= :before
ORDER BY at LIMIT :limit {skip_locked}

-- click_judge --
-- Once each.
UPDATE clicks SET verdict = :verdict WHERE shop_id = :shop_id AND click_id = :click_id AND verdict = 'new'

-- click_next --
-- The oldest that nobody has judged.
SELECT MIN(at) AS at FROM clicks WHERE verdict = 'new'

-- person_clicks --
-- What they followed.
SELECT * FROM clicks WHERE shop_id = :shop_id AND effect_id IN (SELECT value FROM {json_texts}(:effects))

-- person_short_links --
-- Addresses that were only theirs.
SELECT * FROM short_links WHERE shop_id = :shop_id AND owner IN (SELECT value FROM {json_texts}(:addresses))

-- erase_clicks --
-- What they followed.
DELETE FROM clicks WHERE shop_id = :shop_id AND effect_id IN (SELECT value FROM {json_texts}(:effects))

-- erase_short_links --
-- Addresses that were only theirs.
DELETE FROM short_links WHERE shop_id = :shop_id AND owner IN (SELECT value FROM {json_texts}(:addresses))

-- wipe_clicks --
-- Of a whole shop.
DELETE FROM clicks WHERE shop_id = :shop_id
  AND click_id IN (SELECT click_id FROM clicks WHERE shop_id = :shop_id LIMIT :limit)

-- wipe_short_links --
-- Of a whole shop.
DELETE FROM short_links WHERE shop_id = :shop_id
  AND url_id IN (SELECT url_id FROM short_links WHERE shop_id = :shop_id LIMIT :limit)
