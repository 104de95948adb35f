-- Stores that were connected in a browser or by command: a layer of the configuration. `settings` are keys of a shop's
-- table in app.toml as JSON, never a secret.
CREATE TABLE connected_shops (
  shop_id TEXT PRIMARY KEY,
  client_id TEXT NOT NULL,
  settings TEXT NOT NULL,
  granted TEXT NOT NULL,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL
);

-- A link that lets its holder connect one store; `shop_id` where it is for a store that is known.
CREATE TABLE connect_invites (
  invite_hash TEXT PRIMARY KEY,
  client_id TEXT NOT NULL,
  shop_id TEXT,
  locale TEXT NOT NULL,
  created_at TEXT NOT NULL,
  expires_at TEXT NOT NULL,
  used_at TEXT
);

-- One attempt, bound to a browser. Tokens are hashes. `sealed` (what was entered, what the platform's server brought)
-- is encrypted, and empty when the attempt is over.
CREATE TABLE connect_attempts (
  browser_hash TEXT PRIMARY KEY,
  ticket_hash TEXT NOT NULL UNIQUE,
  callback_hash TEXT NOT NULL UNIQUE,
  invite_hash TEXT NOT NULL,
  platform TEXT NOT NULL,
  way TEXT NOT NULL,
  status TEXT NOT NULL,
  sealed TEXT NOT NULL,
  received TEXT NOT NULL,
  shop_id TEXT,
  created_at TEXT NOT NULL,
  expires_at TEXT NOT NULL
);
CREATE INDEX connect_attempts_expiry ON connect_attempts (expires_at);
