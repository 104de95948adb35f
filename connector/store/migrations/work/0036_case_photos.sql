-- Pictures that customers send with a return or a complaint, painted anew; only the merchant's people see them.
CREATE TABLE case_photos (
  shop_id TEXT NOT NULL,
  photo_id TEXT NOT NULL,
  case_id TEXT NOT NULL,
  position INTEGER NOT NULL,
  width INTEGER NOT NULL,
  height INTEGER NOT NULL,
  picture {blob} NOT NULL,
  small {blob} NOT NULL,
  created_at TEXT NOT NULL,
  PRIMARY KEY (shop_id, photo_id)
);
CREATE INDEX case_photos_of_case ON case_photos (shop_id, case_id, position);
