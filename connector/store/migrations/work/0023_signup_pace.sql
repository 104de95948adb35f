-- How many signed up lately, from one place (a keyed hash of the visitor's address) and in the shop as a whole (an empty
-- place): until when each has used up its share. A row of the past says nothing and is removed by the next sign-up.
CREATE TABLE signup_pace (
  shop_id TEXT NOT NULL,
  place TEXT NOT NULL,
  full_until TEXT NOT NULL,
  PRIMARY KEY (shop_id, place)
) {without_rowid};
