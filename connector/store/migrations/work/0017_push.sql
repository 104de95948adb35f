-- Browsers that take notifications of a shop for a person. What reaches them is a credential, so it is sealed.
CREATE TABLE push_subscriptions (
  shop_id TEXT NOT NULL,
  subscription_id TEXT NOT NULL,
  email_key TEXT NOT NULL,
  sealed TEXT NOT NULL,
  created_at TEXT NOT NULL,
  PRIMARY KEY (shop_id, subscription_id)
) {without_rowid};
CREATE INDEX push_subscriptions_of ON push_subscriptions (shop_id, email_key, created_at);
