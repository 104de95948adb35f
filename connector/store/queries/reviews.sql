-- review_save --
-- One review per order and product (or story); nothing that is there is changed.
INSERT INTO reviews (shop_id, review_id, order_id, product_id, rating, title, body, author, email_key, created_at,
  platform_id, state, publish_at, reasons, source, proof, rewarded, revision, pushed, updated_at, locale, video, reuse_at,
  answer, answered_by, answered_at, product_title)
VALUES (:shop_id, :review_id, :order_id, :product_id, :rating, :title, :body, :author, :email_key, :created_at,
  :platform_id, :state, :publish_at, :reasons, :source, :proof, :rewarded, 1, :pushed, :now, :locale, :video, :reuse_at,
  :answer, :answered_by, :answered_at, :product_title)
ON CONFLICT (shop_id, review_id) DO NOTHING

-- review_edit --
-- The customer said it anew. Only from the revision they saw.
UPDATE reviews SET rating = :rating, title = :title, body = :body, author = :author, video = :video,
  reuse_at = :reuse_at, state = :state, publish_at = :publish_at, reasons = :reasons, revision = revision + 1,
  updated_at = :now
WHERE shop_id = :shop_id AND review_id = :review_id AND revision = :revision AND state <> 'withdrawn'

-- review_move --
-- A decision about it: shown, hidden, withdrawn. What was withdrawn stays so.
UPDATE reviews SET state = :state, publish_at = :publish_at, reasons = :reasons, revision = revision + 1,
  updated_at = :now
WHERE shop_id = :shop_id AND review_id = :review_id AND state <> 'withdrawn' AND state <> :state

-- review_answer --
-- What the merchant said to it; an empty answer takes it back.
UPDATE reviews SET answer = :answer, answered_by = :answered_by, answered_at = :now, revision = revision + 1,
  updated_at = :now
WHERE shop_id = :shop_id AND review_id = :review_id AND state <> 'withdrawn' AND answer <> :answer

-- review_reuse --
-- The permission to show its pictures and words elsewhere, given or taken back (empty).
UPDATE reviews SET reuse_at = :reuse_at WHERE shop_id = :shop_id AND review_id = :review_id

-- review_get --
-- One.
SELECT * FROM reviews WHERE shop_id = :shop_id AND review_id = :review_id

-- review_of_order --
-- What was said about an order.
SELECT * FROM reviews WHERE shop_id = :shop_id AND order_id = :order_id ORDER BY created_at, review_id

-- review_of_person --
-- Which products somebody reviewed under any of their names, with whichever order.
SELECT product_id FROM reviews
WHERE shop_id = :shop_id AND email_key IN (SELECT value FROM {json_texts}(:emails)) AND product_id <> ''
UNION
SELECT r.product_id FROM orders o JOIN reviews r ON r.shop_id = o.shop_id AND r.order_id = o.order_id
WHERE o.shop_id = :shop_id AND o.customer_id IN (SELECT value FROM {json_texts}(:customers))
  AND o.customer_id IS NOT NULL AND o.email_key IS NOT NULL AND r.product_id <> ''
UNION
SELECT r.product_id FROM orders o JOIN reviews r ON r.shop_id = o.shop_id AND r.order_id = o.order_id
WHERE o.shop_id = :shop_id AND o.customer_id IN (SELECT value FROM {json_texts}(:customers))
  AND o.customer_id IS NOT NULL AND o.email_key IS NULL AND r.product_id <> ''

-- review_queue --
-- In the order they came, those of one state, of one product where it is named; a page.
SELECT * FROM reviews WHERE shop_id = :shop_id AND state = :state
  AND product_id = COALESCE(NULLIF(:product_id, ''), product_id) AND (created_at, review_id) > (:after_at, :after_id)
ORDER BY created_at, review_id LIMIT 0 + :limit

-- review_newest --
-- What everybody may read, or soon will, the newest first.
SELECT * FROM reviews WHERE shop_id = :shop_id AND state = 'published'
ORDER BY updated_at DESC, review_id LIMIT 0 + :limit

-- review_all --
-- A shop's reviews, whatever their state; a page.
SELECT * FROM reviews WHERE shop_id = :shop_id AND review_id > :after_id ORDER BY review_id LIMIT 0 + :limit

-- review_reusable --
-- What may be shown elsewhere.
SELECT * FROM reviews WHERE shop_id = :shop_id AND reuse_at <> '' AND state = 'published' AND publish_at <= :now
  AND review_id > :after_id ORDER BY review_id LIMIT 0 + :limit

-- review_shown --
-- What everybody may read about a product, as the page sorts it.
SELECT * FROM reviews
WHERE shop_id = :shop_id AND product_id = :product_id AND state = 'published' AND publish_at <= :now
ORDER BY CASE :sort WHEN 'best' THEN -rating WHEN 'worst' THEN rating ELSE 0 END, created_at DESC, review_id
LIMIT 0 + :limit OFFSET 0 + :skip

-- review_stars --
-- How many published reviews of a product have how many stars.
SELECT rating, COUNT(*) AS reviews FROM reviews
WHERE shop_id = :shop_id AND product_id = :product_id AND state = 'published' AND publish_at <= :now
GROUP BY rating

-- review_said --
-- Whether somebody else wrote the very same words about something.
SELECT review_id FROM reviews
WHERE shop_id = :shop_id AND body = :body AND review_id <> :review_id AND state <> 'withdrawn'
  AND (email_key IS NULL OR email_key <> :email_key) LIMIT 1

-- review_pushed --
-- The platform has this revision under its own id, or nothing of it any more (revision 0).
UPDATE reviews SET platform_id = :platform_id, pushed = :pushed WHERE shop_id = :shop_id AND review_id = :review_id

-- review_counts --
-- How many are in which state.
SELECT state, COUNT(*) AS reviews FROM reviews WHERE shop_id = :shop_id GROUP BY state

-- review_note --
-- What was done to a review, with what it said until then.
INSERT INTO review_history (shop_id, review_id, seq, at, what, by_whom, note, rating, title, body, author)
SELECT :shop_id, :review_id,
  COALESCE((SELECT MAX(seq) FROM review_history WHERE shop_id = :shop_id AND review_id = :review_id), 0) + 1,
  :now, :what, :by_whom, :note, :rating, :title, :body, :author

-- review_history --
-- Oldest first.
SELECT * FROM review_history WHERE shop_id = :shop_id AND review_id = :review_id ORDER BY seq

-- review_photo_put --
-- A picture as we made it.
INSERT INTO review_photos (shop_id, photo_id, review_id, position, width, height, picture, small, created_at)
VALUES (:shop_id, :photo_id, :review_id, :position, :width, :height, :picture, :small, :now)

-- review_photo_drop --
-- One that its owner took away.
DELETE FROM review_photos WHERE shop_id = :shop_id AND review_id = :review_id AND photo_id = :photo_id

-- review_photos_drop --
-- All of a review.
DELETE FROM review_photos WHERE shop_id = :shop_id AND review_id = :review_id

-- review_photos_of --
-- Which pictures reviews have (a JSON list of ids), without the pictures.
SELECT review_id, photo_id, position, width, height FROM review_photos
WHERE shop_id = :shop_id AND review_id IN (SELECT value FROM {json_texts}(:reviews)) ORDER BY review_id, position

-- review_photo_get --
-- A picture, and whose.
SELECT p.shop_id, p.review_id, p.picture, p.small, r.state, r.publish_at, r.order_id FROM review_photos p
JOIN reviews r ON r.shop_id = p.shop_id AND r.review_id = p.review_id
WHERE p.photo_id = :photo_id
