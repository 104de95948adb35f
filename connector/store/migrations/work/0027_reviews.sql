-- Reviews with what a person of the merchant's and the customer do to them. `state` is published, held, hidden or
-- withdrawn; a published one is shown from `publish_at` on (empty: at once). `pushed` is the revision the platform has,
-- 0 for none. A review without a product is a story, about the shop.
ALTER TABLE reviews ADD COLUMN state TEXT NOT NULL DEFAULT 'published';
ALTER TABLE reviews ADD COLUMN publish_at TEXT NOT NULL DEFAULT '';
ALTER TABLE reviews ADD COLUMN reasons TEXT NOT NULL DEFAULT '';
ALTER TABLE reviews ADD COLUMN source TEXT NOT NULL DEFAULT 'form';
ALTER TABLE reviews ADD COLUMN proof TEXT NOT NULL DEFAULT '';
ALTER TABLE reviews ADD COLUMN rewarded INTEGER NOT NULL DEFAULT 0;
ALTER TABLE reviews ADD COLUMN revision INTEGER NOT NULL DEFAULT 1;
ALTER TABLE reviews ADD COLUMN pushed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE reviews ADD COLUMN updated_at TEXT NOT NULL DEFAULT '';
ALTER TABLE reviews ADD COLUMN locale TEXT NOT NULL DEFAULT '';
ALTER TABLE reviews ADD COLUMN video TEXT NOT NULL DEFAULT '';
ALTER TABLE reviews ADD COLUMN reuse_at TEXT NOT NULL DEFAULT '';
ALTER TABLE reviews ADD COLUMN answer TEXT NOT NULL DEFAULT '';
ALTER TABLE reviews ADD COLUMN answered_by TEXT NOT NULL DEFAULT '';
ALTER TABLE reviews ADD COLUMN answered_at TEXT NOT NULL DEFAULT '';
ALTER TABLE reviews ADD COLUMN product_title TEXT NOT NULL DEFAULT '';
UPDATE reviews SET pushed = 1 WHERE platform_id <> '';
CREATE INDEX reviews_of_product ON reviews (shop_id, product_id, state);
CREATE INDEX reviews_of_person ON reviews (shop_id, email_key);

-- What a review said before it was edited, and what was decided about it. `what` is edited, held, published, hidden,
-- withdrawn, answered; `by_whom` a person of the merchant's, empty for the customer and for rules.
CREATE TABLE review_history (
  shop_id TEXT NOT NULL,
  review_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  at TEXT NOT NULL,
  what TEXT NOT NULL,
  by_whom TEXT NOT NULL,
  note TEXT NOT NULL,
  rating INTEGER NOT NULL,
  title TEXT NOT NULL,
  body TEXT NOT NULL,
  author TEXT NOT NULL,
  PRIMARY KEY (shop_id, review_id, seq)
) {without_rowid};

-- Pictures as we made them anew: JPEG without anything of the file that came. `photo_id` is in addresses and unguessable.
CREATE TABLE review_photos (
  shop_id TEXT NOT NULL,
  photo_id TEXT NOT NULL,
  review_id TEXT NOT NULL,
  position INTEGER NOT NULL,
  width INTEGER NOT NULL,
  height INTEGER NOT NULL,
  picture {blob} NOT NULL,
  small {blob} NOT NULL,
  created_at TEXT NOT NULL,
  PRIMARY KEY (shop_id, photo_id)
);
CREATE INDEX review_photos_of_review ON review_photos (shop_id, review_id, position);
CREATE INDEX review_photos_by_id ON review_photos (photo_id);
