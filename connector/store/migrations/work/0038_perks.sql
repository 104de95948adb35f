-- Early access began for everybody in a programme: their looks are due at once, and only once however many workers see it.
CREATE TABLE perk_openings (
  shop_id TEXT NOT NULL,
  perk TEXT NOT NULL,
  begins TEXT NOT NULL,
  at TEXT NOT NULL,
  PRIMARY KEY (shop_id, perk, begins)
) {without_rowid};
