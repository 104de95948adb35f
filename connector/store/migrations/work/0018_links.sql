-- What a person chose on the preference page: the language of their messages, and until when they want to be left alone.
CREATE TABLE preferences (
  shop_id TEXT NOT NULL,
  address_key TEXT NOT NULL,
  locale TEXT NOT NULL,
  paused_until TEXT,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (shop_id, address_key)
) {without_rowid};

-- Addresses that short links lead to: one row an address and shop, however many messages show it. `owner` is empty for
-- what everybody may see, else the person whose own address it is (an order's status page).
CREATE TABLE short_links (
  shop_id TEXT NOT NULL,
  url_id TEXT NOT NULL,
  url TEXT NOT NULL,
  owner TEXT NOT NULL,
  created_at TEXT NOT NULL,
  PRIMARY KEY (shop_id, url_id)
) {without_rowid};
CREATE INDEX short_links_by_id ON short_links (url_id);

-- Who followed one, or only seemed to: `verdict` is `new` until nothing can change it any more, then `person` or what
-- gave the machine away.
CREATE TABLE clicks (
  shop_id TEXT NOT NULL,
  click_id TEXT NOT NULL,
  effect_id TEXT NOT NULL,
  url_id TEXT NOT NULL,
  at TEXT NOT NULL,
  verdict TEXT NOT NULL,
  PRIMARY KEY (shop_id, click_id)
) {without_rowid};
CREATE INDEX clicks_of_effect ON clicks (shop_id, effect_id, at);
CREATE INDEX clicks_new ON clicks (at) WHERE verdict = 'new';
