BEGIN TRANSACTION;
CREATE TABLE applied_states (
  shop_id TEXT NOT NULL,
  state INTEGER NOT NULL,
  at TEXT NOT NULL,
  who TEXT NOT NULL,
  what TEXT NOT NULL,
  note TEXT NOT NULL,
  plan TEXT NOT NULL,
  part TEXT NOT NULL,
  flows TEXT NOT NULL,
  changes TEXT NOT NULL,
  PRIMARY KEY (shop_id, state)
);
INSERT INTO "applied_states" VALUES('shop_id 1',1,'2026-11-01T08:00:00.000000Z','who 1','what 1','note 1','plan 1','part 1','flows 1','changes 1');
INSERT INTO "applied_states" VALUES('shop_id 2',2,'2026-11-02T08:00:00.000000Z','who 2','what 2','note 2','plan 2','part 2','flows 2','changes 2');
CREATE TABLE armings (
  shop_id TEXT NOT NULL,
  flow_id TEXT NOT NULL,
  trigger_key TEXT NOT NULL,
  state TEXT NOT NULL,
  source TEXT NOT NULL,
  after_id TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (shop_id, flow_id)
) WITHOUT ROWID;
INSERT INTO "armings" VALUES('shop_id 1','flow_id 1','trigger_key 1','state 1','source 1','after_id 1','2026-11-01T08:00:00.000000Z');
INSERT INTO "armings" VALUES('shop_id 2','flow_id 2','trigger_key 2','state 2','source 2','after_id 2','2026-11-02T08:00:00.000000Z');
CREATE TABLE change_reads (
  shop_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  object_id TEXT NOT NULL,
  changed_at TEXT NOT NULL,
  PRIMARY KEY (shop_id, kind, object_id)
) WITHOUT ROWID;
INSERT INTO "change_reads" VALUES('shop_id 1','kind 1','object_id 1','2026-11-01T08:00:00.000000Z');
INSERT INTO "change_reads" VALUES('shop_id 2','kind 2','object_id 2','2026-11-02T08:00:00.000000Z');
CREATE TABLE channel_events (
  shop_id TEXT NOT NULL,
  effect_id TEXT NOT NULL,
  channel TEXT NOT NULL,
  event_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  at TEXT NOT NULL,
  recorded_at TEXT NOT NULL,
  delivery_id BIGINT,
  raw_kind TEXT NOT NULL,
  bounce TEXT NOT NULL,
  code TEXT NOT NULL,
  url TEXT NOT NULL,
  recipient TEXT NOT NULL,
  said TEXT NOT NULL,
  by_machine INTEGER NOT NULL,
  PRIMARY KEY (shop_id, effect_id, channel, event_id)
) WITHOUT ROWID;
INSERT INTO "channel_events" VALUES('shop_id 1','effect_id 1','channel 1','event_id 1','kind 1','2026-11-01T08:00:00.000000Z','2026-11-01T08:00:00.000000Z',1,'raw_kind 1','bounce 1','code 1','url 1','recipient 1','said 1',1);
INSERT INTO "channel_events" VALUES('shop_id 2','effect_id 2','channel 2','event_id 2','kind 2','2026-11-02T08:00:00.000000Z','2026-11-02T08:00:00.000000Z',2,'raw_kind 2','bounce 2','code 2','url 2','recipient 2','said 2',2);
CREATE TABLE checkouts (
  shop_id TEXT NOT NULL,
  token TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  deleted INTEGER NOT NULL DEFAULT 0,
  snapshot TEXT,
  PRIMARY KEY (shop_id, token)
);
INSERT INTO "checkouts" VALUES('shop_id 1','token 1','2026-11-01T08:00:00.000000Z',1,'{}');
INSERT INTO "checkouts" VALUES('shop_id 2','token 2','2026-11-02T08:00:00.000000Z',2,'{}');
CREATE TABLE clicks (
  shop_id TEXT NOT NULL,
  click_id TEXT NOT NULL,
  effect_id TEXT NOT NULL,
  url_id TEXT NOT NULL,
  at TEXT NOT NULL,
  verdict TEXT NOT NULL,
  PRIMARY KEY (shop_id, click_id)
) WITHOUT ROWID;
INSERT INTO "clicks" VALUES('shop_id 1','click_id 1','effect_id 1','url_id 1','2026-11-01T08:00:00.000000Z','verdict 1');
INSERT INTO "clicks" VALUES('shop_id 2','click_id 2','effect_id 2','url_id 2','2026-11-02T08:00:00.000000Z','verdict 2');
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
INSERT INTO "connect_attempts" VALUES('browser_hash 1','ticket_hash 1','callback_hash 1','invite_hash 1','platform 1','way 1','status 1','sealed 1','received 1','shop_id 1','2026-11-01T08:00:00.000000Z','2026-11-01T08:00:00.000000Z');
INSERT INTO "connect_attempts" VALUES('browser_hash 2','ticket_hash 2','callback_hash 2','invite_hash 2','platform 2','way 2','status 2','sealed 2','received 2','shop_id 2','2026-11-02T08:00:00.000000Z','2026-11-02T08:00:00.000000Z');
CREATE TABLE connect_invites (
  invite_hash TEXT PRIMARY KEY,
  client_id TEXT NOT NULL,
  shop_id TEXT,
  locale TEXT NOT NULL,
  created_at TEXT NOT NULL,
  expires_at TEXT NOT NULL,
  used_at TEXT
);
INSERT INTO "connect_invites" VALUES('invite_hash 1','client_id 1','shop_id 1','locale 1','2026-11-01T08:00:00.000000Z','2026-11-01T08:00:00.000000Z','2026-11-01T08:00:00.000000Z');
INSERT INTO "connect_invites" VALUES('invite_hash 2','client_id 2','shop_id 2','locale 2','2026-11-02T08:00:00.000000Z','2026-11-02T08:00:00.000000Z','2026-11-02T08:00:00.000000Z');
CREATE TABLE connected_shops (
  shop_id TEXT PRIMARY KEY,
  client_id TEXT NOT NULL,
  settings TEXT NOT NULL,
  granted TEXT NOT NULL,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL
);
INSERT INTO "connected_shops" VALUES('shop_id 1','client_id 1','{}','granted 1','2026-11-01T08:00:00.000000Z','2026-11-01T08:00:00.000000Z');
INSERT INTO "connected_shops" VALUES('shop_id 2','client_id 2','{}','granted 2','2026-11-02T08:00:00.000000Z','2026-11-02T08:00:00.000000Z');
CREATE TABLE consents (
  seq INTEGER PRIMARY KEY,
  shop_id TEXT NOT NULL,
  address_key TEXT NOT NULL,
  customer_id TEXT NOT NULL,
  channel TEXT NOT NULL,
  purpose TEXT NOT NULL,
  state TEXT NOT NULL,
  raw_state TEXT NOT NULL,
  at TEXT NOT NULL,
  source TEXT NOT NULL,
  evidence TEXT NOT NULL,
  recorded_at TEXT NOT NULL,
  UNIQUE (shop_id, address_key, customer_id, channel, purpose, at, state)
);
INSERT INTO "consents" VALUES(1,'shop_id 1','address_key 1','customer_id 1','channel 1','purpose 1','state 1','raw_state 1','2026-11-01T08:00:00.000000Z','source 1','evidence 1','2026-11-01T08:00:00.000000Z');
INSERT INTO "consents" VALUES(2,'shop_id 2','address_key 2','customer_id 2','channel 2','purpose 2','state 2','raw_state 2','2026-11-02T08:00:00.000000Z','source 2','evidence 2','2026-11-02T08:00:00.000000Z');
CREATE TABLE credentials (
  owner_id TEXT NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (owner_id, name)
);
INSERT INTO "credentials" VALUES('owner_id 1','name 1','value 1','2026-11-01T08:00:00.000000Z');
INSERT INTO "credentials" VALUES('owner_id 2','name 2','value 2','2026-11-02T08:00:00.000000Z');
CREATE TABLE customer_fields (
  shop_id TEXT NOT NULL,
  owner TEXT NOT NULL,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  value TEXT NOT NULL,
  at TEXT NOT NULL,
  effect_id TEXT NOT NULL,
  PRIMARY KEY (shop_id, owner, name)
) WITHOUT ROWID;
INSERT INTO "customer_fields" VALUES('shop_id 1','owner 1','name 1','kind 1','value 1','2026-11-01T08:00:00.000000Z','effect_id 1');
INSERT INTO "customer_fields" VALUES('shop_id 2','owner 2','name 2','kind 2','value 2','2026-11-02T08:00:00.000000Z','effect_id 2');
CREATE TABLE customers (
  shop_id TEXT NOT NULL,
  customer_id TEXT NOT NULL,
  email_key TEXT,
  updated_at TEXT NOT NULL,
  deleted INTEGER NOT NULL DEFAULT 0,
  snapshot TEXT,
  PRIMARY KEY (shop_id, customer_id)
);
INSERT INTO "customers" VALUES('shop_id 1','customer_id 1','email_key 1','2026-11-01T08:00:00.000000Z',1,'{}');
INSERT INTO "customers" VALUES('shop_id 2','customer_id 2','email_key 2','2026-11-02T08:00:00.000000Z',2,'{}');
CREATE TABLE delivery_progress (
  shop_id TEXT NOT NULL,
  delivery_id BIGINT NOT NULL,
  status TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  due_at TEXT NOT NULL,
  error_code TEXT NOT NULL DEFAULT '',
  error_text TEXT NOT NULL DEFAULT '',
  finished_at TEXT,
  PRIMARY KEY (shop_id, delivery_id)
) WITHOUT ROWID;
INSERT INTO "delivery_progress" VALUES('shop_id 1',1,'status 1',1,'2026-11-01T08:00:00.000000Z','error_code 1','error_text 1','2026-11-01T08:00:00.000000Z');
INSERT INTO "delivery_progress" VALUES('shop_id 2',2,'status 2',2,'2026-11-02T08:00:00.000000Z','error_code 2','error_text 2','2026-11-02T08:00:00.000000Z');
CREATE TABLE effect_contents (
  shop_id TEXT NOT NULL,
  effect_id TEXT NOT NULL,
  encoding INTEGER NOT NULL,
  content BLOB NOT NULL,
  PRIMARY KEY (shop_id, effect_id)
);
INSERT INTO "effect_contents" VALUES('shop_id 1','effect_id 1',1,X'62797465732031');
INSERT INTO "effect_contents" VALUES('shop_id 2','effect_id 2',2,X'62797465732032');
CREATE TABLE effect_ways (
  shop_id TEXT NOT NULL,
  effect_id TEXT NOT NULL,
  provider TEXT NOT NULL,
  doubts INTEGER NOT NULL,
  PRIMARY KEY (shop_id, effect_id)
) WITHOUT ROWID;
INSERT INTO "effect_ways" VALUES('shop_id 1','effect_id 1','provider 1',1);
INSERT INTO "effect_ways" VALUES('shop_id 2','effect_id 2','provider 2',2);
CREATE TABLE effects (
  shop_id TEXT NOT NULL,
  effect_id TEXT NOT NULL,
  run_id TEXT NOT NULL,
  flow_id TEXT NOT NULL,
  version TEXT NOT NULL,
  step_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  purpose TEXT NOT NULL,
  priority INTEGER NOT NULL,
  request TEXT NOT NULL,
  status TEXT NOT NULL,
  due_at TEXT NOT NULL,
  created_at TEXT NOT NULL,
  order_id TEXT,
  channel TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  tainted INTEGER NOT NULL,
  lease_until TEXT,
  first_try_at TEXT,
  done_at TEXT,
  recipient TEXT NOT NULL,
  recipient_key TEXT NOT NULL,
  sender TEXT NOT NULL,
  subject TEXT NOT NULL,
  provider_id TEXT NOT NULL,
  reason TEXT NOT NULL,
  result TEXT NOT NULL, message_key TEXT,
  PRIMARY KEY (shop_id, effect_id)
);
INSERT INTO "effects" VALUES('shop_id 1','effect_id 1','run_id 1','flow_id 1','version 1','step_id 1','kind 1','purpose 1',1,'request 1','status 1','2026-11-01T08:00:00.000000Z','2026-11-01T08:00:00.000000Z','order_id 1','channel 1',1,1,'lease_until 1','2026-11-01T08:00:00.000000Z','2026-11-01T08:00:00.000000Z','recipient 1','recipient_key 1','sender 1','subject 1','provider_id 1','reason 1','{}','message_key 1');
INSERT INTO "effects" VALUES('shop_id 2','effect_id 2','run_id 2','flow_id 2','version 2','step_id 2','kind 2','purpose 2',2,'request 2','status 2','2026-11-02T08:00:00.000000Z','2026-11-02T08:00:00.000000Z','order_id 2','channel 2',2,2,'lease_until 2','2026-11-02T08:00:00.000000Z','2026-11-02T08:00:00.000000Z','recipient 2','recipient_key 2','sender 2','subject 2','provider_id 2','reason 2','{}','message_key 2');
CREATE TABLE endpoints (
  endpoint_key TEXT PRIMARY KEY,
  platform TEXT NOT NULL,
  owner_id TEXT NOT NULL,
  shop_id TEXT,
  created_at TEXT NOT NULL
);
INSERT INTO "endpoints" VALUES('endpoint_key 1','platform 1','owner_id 1','shop_id 1','2026-11-01T08:00:00.000000Z');
INSERT INTO "endpoints" VALUES('endpoint_key 2','platform 2','owner_id 2','shop_id 2','2026-11-02T08:00:00.000000Z');
CREATE TABLE engagements (
  shop_id TEXT NOT NULL,
  address_key TEXT NOT NULL,
  kind TEXT NOT NULL,
  at TEXT NOT NULL,
  PRIMARY KEY (shop_id, address_key)
) WITHOUT ROWID;
INSERT INTO "engagements" VALUES('shop_id 1','address_key 1','kind 1','2026-11-01T08:00:00.000000Z');
INSERT INTO "engagements" VALUES('shop_id 2','address_key 2','kind 2','2026-11-02T08:00:00.000000Z');
CREATE TABLE erasures (
  shop_id TEXT NOT NULL,
  erased_key TEXT NOT NULL,
  at TEXT NOT NULL,
  PRIMARY KEY (shop_id, erased_key)
) WITHOUT ROWID;
INSERT INTO "erasures" VALUES('shop_id 1','erased_key 1','2026-11-01T08:00:00.000000Z');
INSERT INTO "erasures" VALUES('shop_id 2','erased_key 2','2026-11-02T08:00:00.000000Z');
CREATE TABLE events (
  shop_id TEXT NOT NULL,
  event_key TEXT NOT NULL,
  kind TEXT NOT NULL,
  subject_kind TEXT NOT NULL,
  subject_id TEXT NOT NULL,
  order_id TEXT,
  customer_id TEXT,
  at TEXT NOT NULL,
  recorded_at TEXT NOT NULL,
  delivery_id BIGINT,
  data TEXT NOT NULL,
  PRIMARY KEY (shop_id, event_key)
) WITHOUT ROWID;
INSERT INTO "events" VALUES('shop_id 1','event_key 1','kind 1','subject_kind 1','subject_id 1','order_id 1','customer_id 1','2026-11-01T08:00:00.000000Z','2026-11-01T08:00:00.000000Z',1,'{}');
INSERT INTO "events" VALUES('shop_id 2','event_key 2','kind 2','subject_kind 2','subject_id 2','order_id 2','customer_id 2','2026-11-02T08:00:00.000000Z','2026-11-02T08:00:00.000000Z',2,'{}');
CREATE TABLE flow_pauses (
  shop_id TEXT NOT NULL,
  flow_id TEXT NOT NULL,
  at TEXT NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (shop_id, flow_id)
) WITHOUT ROWID;
INSERT INTO "flow_pauses" VALUES('shop_id 1','flow_id 1','2026-11-01T08:00:00.000000Z','reason 1');
INSERT INTO "flow_pauses" VALUES('shop_id 2','flow_id 2','2026-11-02T08:00:00.000000Z','reason 2');
CREATE TABLE flow_versions (
  shop_id TEXT NOT NULL,
  flow_id TEXT NOT NULL,
  version TEXT NOT NULL,
  body TEXT NOT NULL,
  created_at TEXT NOT NULL,
  PRIMARY KEY (shop_id, flow_id, version)
);
INSERT INTO "flow_versions" VALUES('shop_id 1','flow_id 1','version 1','body 1','2026-11-01T08:00:00.000000Z');
INSERT INTO "flow_versions" VALUES('shop_id 2','flow_id 2','version 2','body 2','2026-11-02T08:00:00.000000Z');
CREATE TABLE inbox_cursor (
  name TEXT PRIMARY KEY,
  last_id BIGINT NOT NULL
);
INSERT INTO "inbox_cursor" VALUES('name 1',1);
INSERT INTO "inbox_cursor" VALUES('name 2',2);
CREATE TABLE job_reports (
  seq INTEGER PRIMARY KEY,
  shop_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  at TEXT NOT NULL,
  report TEXT NOT NULL
);
INSERT INTO "job_reports" VALUES(1,'shop_id 1','kind 1','2026-11-01T08:00:00.000000Z','report 1');
INSERT INTO "job_reports" VALUES(2,'shop_id 2','kind 2','2026-11-02T08:00:00.000000Z','report 2');
CREATE TABLE jobs (
  shop_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  due_at TEXT,
  lease TEXT NOT NULL,
  leased_until TEXT,
  attempts INTEGER NOT NULL,
  state TEXT NOT NULL,
  error_code TEXT NOT NULL,
  error_text TEXT NOT NULL,
  created_at TEXT NOT NULL,
  done_at TEXT,
  PRIMARY KEY (shop_id, kind)
) WITHOUT ROWID;
INSERT INTO "jobs" VALUES('shop_id 1','kind 1','2026-11-01T08:00:00.000000Z','lease 1','leased_until 1',1,'state 1','error_code 1','error_text 1','2026-11-01T08:00:00.000000Z','2026-11-01T08:00:00.000000Z');
INSERT INTO "jobs" VALUES('shop_id 2','kind 2','2026-11-02T08:00:00.000000Z','lease 2','leased_until 2',2,'state 2','error_code 2','error_text 2','2026-11-02T08:00:00.000000Z','2026-11-02T08:00:00.000000Z');
CREATE TABLE journal (
  seq INTEGER PRIMARY KEY,
  shop_id TEXT NOT NULL,
  run_id TEXT NOT NULL,
  at TEXT NOT NULL,
  step_id TEXT NOT NULL,
  what TEXT NOT NULL,
  detail TEXT NOT NULL
);
INSERT INTO "journal" VALUES(1,'shop_id 1','run_id 1','2026-11-01T08:00:00.000000Z','step_id 1','what 1','{}');
INSERT INTO "journal" VALUES(2,'shop_id 2','run_id 2','2026-11-02T08:00:00.000000Z','step_id 2','what 2','{}');
CREATE TABLE links (
  shop_id TEXT NOT NULL,
  token TEXT NOT NULL,
  kind TEXT NOT NULL,
  data TEXT NOT NULL,
  created_at TEXT NOT NULL,
  PRIMARY KEY (shop_id, token)
);
INSERT INTO "links" VALUES('shop_id 1','token 1','kind 1','{}','2026-11-01T08:00:00.000000Z');
INSERT INTO "links" VALUES('shop_id 2','token 2','kind 2','{}','2026-11-02T08:00:00.000000Z');
CREATE TABLE meta (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL,
  updated_at TEXT NOT NULL
);
INSERT INTO "meta" VALUES('name 1','value 1','2026-11-01T08:00:00.000000Z');
INSERT INTO "meta" VALUES('name 2','value 2','2026-11-02T08:00:00.000000Z');
CREATE TABLE notices (
  shop_id TEXT NOT NULL,
  notice_key TEXT NOT NULL,
  kind TEXT NOT NULL,
  status TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  created_at TEXT NOT NULL,
  due_at TEXT NOT NULL,
  reason TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (shop_id, notice_key)
) WITHOUT ROWID;
INSERT INTO "notices" VALUES('shop_id 1','notice_key 1','kind 1','status 1',1,'2026-11-01T08:00:00.000000Z','2026-11-01T08:00:00.000000Z','reason 1');
INSERT INTO "notices" VALUES('shop_id 2','notice_key 2','kind 2','status 2',2,'2026-11-02T08:00:00.000000Z','2026-11-02T08:00:00.000000Z','reason 2');
CREATE TABLE objections (
  shop_id TEXT NOT NULL,
  objection_id TEXT NOT NULL,
  flow_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  at TEXT NOT NULL,
  PRIMARY KEY (shop_id, objection_id)
) WITHOUT ROWID;
INSERT INTO "objections" VALUES('shop_id 1','objection_id 1','flow_id 1','kind 1','2026-11-01T08:00:00.000000Z');
INSERT INTO "objections" VALUES('shop_id 2','objection_id 2','flow_id 2','kind 2','2026-11-02T08:00:00.000000Z');
CREATE TABLE orders (
  shop_id TEXT NOT NULL,
  order_id TEXT NOT NULL,
  number TEXT,
  email_key TEXT,
  customer_id TEXT,
  placed_at TEXT,
  updated_at TEXT NOT NULL,
  deleted INTEGER NOT NULL DEFAULT 0,
  snapshot TEXT, bought TEXT,
  PRIMARY KEY (shop_id, order_id)
);
INSERT INTO "orders" VALUES('shop_id 1','order_id 1','number 1','email_key 1','customer_id 1','2026-11-01T08:00:00.000000Z','2026-11-01T08:00:00.000000Z',1,'{}','bought 1');
INSERT INTO "orders" VALUES('shop_id 2','order_id 2','number 2','email_key 2','customer_id 2','2026-11-02T08:00:00.000000Z','2026-11-02T08:00:00.000000Z',2,'{}','bought 2');
CREATE TABLE points (
  shop_id TEXT NOT NULL,
  entry_id TEXT NOT NULL,
  owner TEXT NOT NULL,
  points INTEGER NOT NULL,
  reason TEXT NOT NULL,
  order_id TEXT,
  reverses TEXT,
  expires_at TEXT,
  at TEXT NOT NULL,
  PRIMARY KEY (shop_id, entry_id)
) WITHOUT ROWID;
INSERT INTO "points" VALUES('shop_id 1','entry_id 1','owner 1',1,'reason 1','order_id 1','reverses 1','2026-11-01T08:00:00.000000Z','2026-11-01T08:00:00.000000Z');
INSERT INTO "points" VALUES('shop_id 2','entry_id 2','owner 2',2,'reason 2','order_id 2','reverses 2','2026-11-02T08:00:00.000000Z','2026-11-02T08:00:00.000000Z');
CREATE TABLE preferences (
  shop_id TEXT NOT NULL,
  address_key TEXT NOT NULL,
  locale TEXT NOT NULL,
  paused_until TEXT,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (shop_id, address_key)
) WITHOUT ROWID;
INSERT INTO "preferences" VALUES('shop_id 1','address_key 1','locale 1','paused_until 1','2026-11-01T08:00:00.000000Z');
INSERT INTO "preferences" VALUES('shop_id 2','address_key 2','locale 2','paused_until 2','2026-11-02T08:00:00.000000Z');
CREATE TABLE privacy_access (
  seq INTEGER PRIMARY KEY,
  shop_id TEXT NOT NULL,
  request_id TEXT NOT NULL,
  at TEXT NOT NULL,
  route TEXT NOT NULL
);
INSERT INTO "privacy_access" VALUES(1,'shop_id 1','request_id 1','2026-11-01T08:00:00.000000Z','route 1');
INSERT INTO "privacy_access" VALUES(2,'shop_id 2','request_id 2','2026-11-02T08:00:00.000000Z','route 2');
CREATE TABLE privacy_exports (
  shop_id TEXT NOT NULL,
  request_id TEXT NOT NULL,
  subject_key TEXT NOT NULL,
  expires_at TEXT NOT NULL,
  content BLOB NOT NULL,
  PRIMARY KEY (shop_id, request_id)
);
INSERT INTO "privacy_exports" VALUES('shop_id 1','request_id 1','subject_key 1','2026-11-01T08:00:00.000000Z',X'62797465732031');
INSERT INTO "privacy_exports" VALUES('shop_id 2','request_id 2','subject_key 2','2026-11-02T08:00:00.000000Z',X'62797465732032');
CREATE TABLE privacy_requests (
  shop_id TEXT NOT NULL,
  request_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  source TEXT NOT NULL,
  subject TEXT NOT NULL,
  subject_key TEXT NOT NULL,
  status TEXT NOT NULL,
  received_at TEXT NOT NULL,
  due_at TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  done_at TEXT,
  counts TEXT NOT NULL,
  note TEXT NOT NULL,
  PRIMARY KEY (shop_id, request_id)
);
INSERT INTO "privacy_requests" VALUES('shop_id 1','request_id 1','kind 1','source 1','subject 1','subject_key 1','status 1','2026-11-01T08:00:00.000000Z','2026-11-01T08:00:00.000000Z',1,'2026-11-01T08:00:00.000000Z','counts 1','note 1');
INSERT INTO "privacy_requests" VALUES('shop_id 2','request_id 2','kind 2','source 2','subject 2','subject_key 2','status 2','2026-11-02T08:00:00.000000Z','2026-11-02T08:00:00.000000Z',2,'2026-11-02T08:00:00.000000Z','counts 2','note 2');
CREATE TABLE product_figures (
  shop_id TEXT NOT NULL,
  product_id TEXT NOT NULL,
  counted_at TEXT NOT NULL,
  figures TEXT NOT NULL,
  PRIMARY KEY (shop_id, product_id)
);
INSERT INTO "product_figures" VALUES('shop_id 1','product_id 1','2026-11-01T08:00:00.000000Z','{}');
INSERT INTO "product_figures" VALUES('shop_id 2','product_id 2','2026-11-02T08:00:00.000000Z','{}');
CREATE TABLE products (
  shop_id TEXT NOT NULL,
  product_id TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  deleted INTEGER NOT NULL DEFAULT 0,
  snapshot TEXT,
  PRIMARY KEY (shop_id, product_id)
);
INSERT INTO "products" VALUES('shop_id 1','product_id 1','2026-11-01T08:00:00.000000Z',1,'{}');
INSERT INTO "products" VALUES('shop_id 2','product_id 2','2026-11-02T08:00:00.000000Z',2,'{}');
CREATE TABLE provider_accounts (
  account TEXT PRIMARY KEY,
  full_until TEXT NOT NULL,
  first_slot TEXT NOT NULL,
  later_slot TEXT NOT NULL,
  blocked_until TEXT NOT NULL,
  reason TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO "provider_accounts" VALUES('account 1','full_until 1','first_slot 1','later_slot 1','blocked_until 1','reason 1');
INSERT INTO "provider_accounts" VALUES('account 2','full_until 2','first_slot 2','later_slot 2','blocked_until 2','reason 2');
CREATE TABLE provider_breakers (
  shop_id TEXT NOT NULL,
  provider TEXT NOT NULL,
  failures INTEGER NOT NULL,
  open_until TEXT NOT NULL,
  trying_until TEXT NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (shop_id, provider)
) WITHOUT ROWID;
INSERT INTO "provider_breakers" VALUES('shop_id 1','provider 1',1,'open_until 1','trying_until 1','reason 1');
INSERT INTO "provider_breakers" VALUES('shop_id 2','provider 2',2,'open_until 2','trying_until 2','reason 2');
CREATE TABLE push_subscriptions (
  shop_id TEXT NOT NULL,
  subscription_id TEXT NOT NULL,
  email_key TEXT NOT NULL,
  sealed TEXT NOT NULL,
  created_at TEXT NOT NULL,
  PRIMARY KEY (shop_id, subscription_id)
) WITHOUT ROWID;
INSERT INTO "push_subscriptions" VALUES('shop_id 1','subscription_id 1','email_key 1','sealed 1','2026-11-01T08:00:00.000000Z');
INSERT INTO "push_subscriptions" VALUES('shop_id 2','subscription_id 2','email_key 2','sealed 2','2026-11-02T08:00:00.000000Z');
CREATE TABLE recoveries (
  shop_id TEXT NOT NULL,
  order_id TEXT NOT NULL,
  via TEXT NOT NULL,
  at TEXT NOT NULL,
  PRIMARY KEY (shop_id, order_id)
) WITHOUT ROWID;
INSERT INTO "recoveries" VALUES('shop_id 1','order_id 1','via 1','2026-11-01T08:00:00.000000Z');
INSERT INTO "recoveries" VALUES('shop_id 2','order_id 2','via 2','2026-11-02T08:00:00.000000Z');
CREATE TABLE referral_codes (
  shop_id TEXT NOT NULL,
  code_key TEXT NOT NULL,
  advocate_email_key TEXT NOT NULL,
  advocate_customer_id TEXT,
  order_id TEXT,
  run_id TEXT,
  created_at TEXT NOT NULL,
  PRIMARY KEY (shop_id, code_key)
);
INSERT INTO "referral_codes" VALUES('shop_id 1','code_key 1','advocate_email_key 1','advocate_customer_id 1','order_id 1','run_id 1','2026-11-01T08:00:00.000000Z');
INSERT INTO "referral_codes" VALUES('shop_id 2','code_key 2','advocate_email_key 2','advocate_customer_id 2','order_id 2','run_id 2','2026-11-02T08:00:00.000000Z');
CREATE TABLE referrals (
  shop_id TEXT NOT NULL,
  referral_id TEXT NOT NULL,
  code_key TEXT NOT NULL,
  advocate_email_key TEXT NOT NULL,
  friend_email_key TEXT,
  friend_order_id TEXT NOT NULL,
  state TEXT NOT NULL,
  reason TEXT NOT NULL,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  PRIMARY KEY (shop_id, referral_id)
);
INSERT INTO "referrals" VALUES('shop_id 1','referral_id 1','code_key 1','advocate_email_key 1','friend_email_key 1','friend_order_id 1','state 1','reason 1','2026-11-01T08:00:00.000000Z','2026-11-01T08:00:00.000000Z');
INSERT INTO "referrals" VALUES('shop_id 2','referral_id 2','code_key 2','advocate_email_key 2','friend_email_key 2','friend_order_id 2','state 2','reason 2','2026-11-02T08:00:00.000000Z','2026-11-02T08:00:00.000000Z');
CREATE TABLE refunds (
  shop_id TEXT NOT NULL,
  refund_id TEXT NOT NULL,
  order_id TEXT NOT NULL,
  at TEXT NOT NULL,
  snapshot TEXT NOT NULL,
  PRIMARY KEY (shop_id, refund_id)
);
INSERT INTO "refunds" VALUES('shop_id 1','refund_id 1','order_id 1','2026-11-01T08:00:00.000000Z','{}');
INSERT INTO "refunds" VALUES('shop_id 2','refund_id 2','order_id 2','2026-11-02T08:00:00.000000Z','{}');
CREATE TABLE renewals (
  shop_id TEXT PRIMARY KEY,
  lease_by TEXT NOT NULL DEFAULT '',
  lease_until TEXT,
  renewed_at TEXT,
  keep_at TEXT,
  refused_at TEXT,
  refused_what TEXT NOT NULL DEFAULT '',
  tried_at TEXT
);
INSERT INTO "renewals" VALUES('shop_id 1','lease_by 1','lease_until 1','2026-11-01T08:00:00.000000Z','2026-11-01T08:00:00.000000Z','2026-11-01T08:00:00.000000Z','refused_what 1','2026-11-01T08:00:00.000000Z');
INSERT INTO "renewals" VALUES('shop_id 2','lease_by 2','lease_until 2','2026-11-02T08:00:00.000000Z','2026-11-02T08:00:00.000000Z','2026-11-02T08:00:00.000000Z','refused_what 2','2026-11-02T08:00:00.000000Z');
CREATE TABLE returns (
  shop_id TEXT NOT NULL,
  return_id TEXT NOT NULL,
  order_id TEXT NOT NULL,
  at TEXT NOT NULL,
  snapshot TEXT NOT NULL,
  PRIMARY KEY (shop_id, return_id)
);
INSERT INTO "returns" VALUES('shop_id 1','return_id 1','order_id 1','2026-11-01T08:00:00.000000Z','{}');
INSERT INTO "returns" VALUES('shop_id 2','return_id 2','order_id 2','2026-11-02T08:00:00.000000Z','{}');
CREATE TABLE reviews (
  shop_id TEXT NOT NULL,
  review_id TEXT NOT NULL,
  order_id TEXT NOT NULL,
  product_id TEXT NOT NULL,
  rating INTEGER NOT NULL,
  title TEXT NOT NULL,
  body TEXT NOT NULL,
  author TEXT NOT NULL,
  email_key TEXT,
  created_at TEXT NOT NULL,
  platform_id TEXT NOT NULL,
  PRIMARY KEY (shop_id, review_id)
);
INSERT INTO "reviews" VALUES('shop_id 1','review_id 1','order_id 1','product_id 1',1,'title 1','body 1','author 1','email_key 1','2026-11-01T08:00:00.000000Z','platform_id 1');
INSERT INTO "reviews" VALUES('shop_id 2','review_id 2','order_id 2','product_id 2',2,'title 2','body 2','author 2','email_key 2','2026-11-02T08:00:00.000000Z','platform_id 2');
CREATE TABLE runs (
  shop_id TEXT NOT NULL,
  run_id TEXT NOT NULL,
  flow_id TEXT NOT NULL,
  version TEXT NOT NULL,
  subject_kind TEXT NOT NULL,
  subject_id TEXT NOT NULL,
  entry_key TEXT NOT NULL,
  status TEXT NOT NULL,
  step INTEGER NOT NULL,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  order_id TEXT,
  customer_id TEXT,
  email_key TEXT,
  wake_at TEXT,
  awaiting TEXT NOT NULL,
  event TEXT NOT NULL,
  outcomes TEXT NOT NULL,
  acted INTEGER NOT NULL,
  reason TEXT NOT NULL,
  rev INTEGER NOT NULL,
  PRIMARY KEY (shop_id, run_id),
  UNIQUE (shop_id, flow_id, entry_key)
);
INSERT INTO "runs" VALUES('shop_id 1','run_id 1','flow_id 1','version 1','subject_kind 1','subject_id 1','entry_key 1','status 1',1,'2026-11-01T08:00:00.000000Z','2026-11-01T08:00:00.000000Z','order_id 1','customer_id 1','email_key 1','2026-11-01T08:00:00.000000Z','awaiting 1','{}','{}',1,'reason 1',1);
INSERT INTO "runs" VALUES('shop_id 2','run_id 2','flow_id 2','version 2','subject_kind 2','subject_id 2','entry_key 2','status 2',2,'2026-11-02T08:00:00.000000Z','2026-11-02T08:00:00.000000Z','order_id 2','customer_id 2','email_key 2','2026-11-02T08:00:00.000000Z','awaiting 2','{}','{}',2,'reason 2',2);
CREATE TABLE schema_ledger (component TEXT NOT NULL, name TEXT NOT NULL, applied_at TEXT NOT NULL, PRIMARY KEY (component, name));
INSERT INTO "schema_ledger" VALUES('work/oldest','0001_core','2026-11-22T15:43:51.775833Z');
INSERT INTO "schema_ledger" VALUES('work','0001_core','2026-11-22T15:43:51.804810Z');
INSERT INTO "schema_ledger" VALUES('work','0003_troubled','2026-11-22T15:43:51.814756Z');
INSERT INTO "schema_ledger" VALUES('work','0004_connect','2026-11-22T15:43:51.829345Z');
INSERT INTO "schema_ledger" VALUES('work','0005_renewals','2026-11-22T15:43:51.839398Z');
INSERT INTO "schema_ledger" VALUES('work','0006_reconciliation','2026-11-22T15:43:51.846421Z');
INSERT INTO "schema_ledger" VALUES('work','0008_privacy','2026-11-22T15:43:51.863449Z');
INSERT INTO "schema_ledger" VALUES('work','0009_reached','2026-11-22T15:43:51.872480Z');
INSERT INTO "schema_ledger" VALUES('work','0010_wakeups','2026-11-22T15:43:51.883425Z');
INSERT INTO "schema_ledger" VALUES('work','0011_figures','2026-11-22T15:43:51.894819Z');
INSERT INTO "schema_ledger" VALUES('work','0012_steps','2026-11-22T15:43:51.897700Z');
INSERT INTO "schema_ledger" VALUES('work','0013_policy','2026-11-22T15:43:51.911834Z');
INSERT INTO "schema_ledger" VALUES('work','0014_applied','2026-11-22T15:43:51.918718Z');
INSERT INTO "schema_ledger" VALUES('work','0015_providers','2026-11-22T15:43:51.923201Z');
INSERT INTO "schema_ledger" VALUES('work','0016_truth','2026-11-22T15:43:51.928302Z');
INSERT INTO "schema_ledger" VALUES('work','0017_push','2026-11-22T15:43:51.942858Z');
INSERT INTO "schema_ledger" VALUES('work','0018_links','2026-11-22T15:43:51.959184Z');
CREATE TABLE segment_members (
  shop_id TEXT NOT NULL,
  segment TEXT NOT NULL,
  name TEXT NOT NULL,
  since TEXT NOT NULL,
  PRIMARY KEY (shop_id, segment, name)
) WITHOUT ROWID;
INSERT INTO "segment_members" VALUES('shop_id 1','segment 1','name 1','2026-11-01T08:00:00.000000Z');
INSERT INTO "segment_members" VALUES('shop_id 2','segment 2','name 2','2026-11-02T08:00:00.000000Z');
CREATE TABLE shipment_events (
  shop_id TEXT NOT NULL,
  shipment_event_id TEXT NOT NULL,
  shipment_id TEXT NOT NULL,
  order_id TEXT NOT NULL,
  status TEXT NOT NULL,
  at TEXT NOT NULL,
  snapshot TEXT NOT NULL,
  PRIMARY KEY (shop_id, shipment_event_id)
);
INSERT INTO "shipment_events" VALUES('shop_id 1','shipment_event_id 1','shipment_id 1','order_id 1','status 1','2026-11-01T08:00:00.000000Z','{}');
INSERT INTO "shipment_events" VALUES('shop_id 2','shipment_event_id 2','shipment_id 2','order_id 2','status 2','2026-11-02T08:00:00.000000Z','{}');
CREATE TABLE shipments (
  shop_id TEXT NOT NULL,
  shipment_id TEXT NOT NULL,
  order_id TEXT NOT NULL,
  status TEXT NOT NULL,
  raw_status TEXT NOT NULL,
  status_rank INTEGER NOT NULL,
  status_at TEXT NOT NULL,
  status_since TEXT NOT NULL,
  snapshot_at TEXT NOT NULL,
  snapshot TEXT,
  PRIMARY KEY (shop_id, shipment_id)
);
INSERT INTO "shipments" VALUES('shop_id 1','shipment_id 1','order_id 1','status 1','raw_status 1',1,'2026-11-01T08:00:00.000000Z','status_since 1','2026-11-01T08:00:00.000000Z','{}');
INSERT INTO "shipments" VALUES('shop_id 2','shipment_id 2','order_id 2','status 2','raw_status 2',2,'2026-11-02T08:00:00.000000Z','status_since 2','2026-11-02T08:00:00.000000Z','{}');
CREATE TABLE shop_figures (
  shop_id TEXT PRIMARY KEY,
  due_at TEXT NOT NULL,
  counted_at TEXT,
  figures TEXT NOT NULL,
  segments TEXT NOT NULL
);
INSERT INTO "shop_figures" VALUES('shop_id 1','2026-11-01T08:00:00.000000Z','2026-11-01T08:00:00.000000Z','{}','{}');
INSERT INTO "shop_figures" VALUES('shop_id 2','2026-11-02T08:00:00.000000Z','2026-11-02T08:00:00.000000Z','{}','{}');
CREATE TABLE shops (
  shop_id TEXT PRIMARY KEY,
  platform TEXT NOT NULL,
  domain TEXT NOT NULL,
  status TEXT NOT NULL,
  status_reason TEXT NOT NULL,
  snapshot TEXT NOT NULL,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  UNIQUE (platform, domain)
);
INSERT INTO "shops" VALUES('shop_id 1','platform 1','domain 1','status 1','status_reason 1','{}','2026-11-01T08:00:00.000000Z','2026-11-01T08:00:00.000000Z');
INSERT INTO "shops" VALUES('shop_id 2','platform 2','domain 2','status 2','status_reason 2','{}','2026-11-02T08:00:00.000000Z','2026-11-02T08:00:00.000000Z');
CREATE TABLE short_links (
  shop_id TEXT NOT NULL,
  url_id TEXT NOT NULL,
  url TEXT NOT NULL,
  owner TEXT NOT NULL,
  created_at TEXT NOT NULL,
  PRIMARY KEY (shop_id, url_id)
) WITHOUT ROWID;
INSERT INTO "short_links" VALUES('shop_id 1','url_id 1','url 1','owner 1','2026-11-01T08:00:00.000000Z');
INSERT INTO "short_links" VALUES('shop_id 2','url_id 2','url 2','owner 2','2026-11-02T08:00:00.000000Z');
CREATE TABLE standings (
  shop_id TEXT NOT NULL,
  name TEXT NOT NULL,
  email_key TEXT,
  customer_id TEXT,
  quiet INTEGER NOT NULL,
  look_at TEXT,
  looked_at TEXT,
  PRIMARY KEY (shop_id, name)
) WITHOUT ROWID;
INSERT INTO "standings" VALUES('shop_id 1','name 1','email_key 1','customer_id 1',1,'2026-11-01T08:00:00.000000Z','2026-11-01T08:00:00.000000Z');
INSERT INTO "standings" VALUES('shop_id 2','name 2','email_key 2','customer_id 2',2,'2026-11-02T08:00:00.000000Z','2026-11-02T08:00:00.000000Z');
CREATE TABLE suppressions (
  shop_id TEXT NOT NULL,
  address_key TEXT NOT NULL,
  channel TEXT NOT NULL,
  scope TEXT NOT NULL,
  reason TEXT NOT NULL,
  at TEXT NOT NULL,
  PRIMARY KEY (shop_id, address_key, channel, scope)
) WITHOUT ROWID;
INSERT INTO "suppressions" VALUES('shop_id 1','address_key 1','channel 1','scope 1','reason 1','2026-11-01T08:00:00.000000Z');
INSERT INTO "suppressions" VALUES('shop_id 2','address_key 2','channel 2','scope 2','reason 2','2026-11-02T08:00:00.000000Z');
CREATE TABLE wakeups (
  shop_id TEXT NOT NULL,
  flow_id TEXT NOT NULL,
  subject_kind TEXT NOT NULL,
  subject_id TEXT NOT NULL,
  trigger_key TEXT NOT NULL,
  due_at TEXT,
  moment TEXT NOT NULL,
  origin TEXT NOT NULL,
  fired_at TEXT,
  order_id TEXT,
  customer_id TEXT,
  email_key TEXT,
  PRIMARY KEY (shop_id, flow_id, subject_kind, subject_id)
) WITHOUT ROWID;
INSERT INTO "wakeups" VALUES('shop_id 1','flow_id 1','subject_kind 1','subject_id 1','trigger_key 1','2026-11-01T08:00:00.000000Z','2026-11-01T08:00:00.000000Z','origin 1','2026-11-01T08:00:00.000000Z','order_id 1','customer_id 1','email_key 1');
INSERT INTO "wakeups" VALUES('shop_id 2','flow_id 2','subject_kind 2','subject_id 2','trigger_key 2','2026-11-02T08:00:00.000000Z','2026-11-02T08:00:00.000000Z','origin 2','2026-11-02T08:00:00.000000Z','order_id 2','customer_id 2','email_key 2');
CREATE INDEX delivery_progress_due ON delivery_progress (due_at, delivery_id) WHERE status IN ('new', 'leased');
CREATE INDEX delivery_progress_failed ON delivery_progress (shop_id, delivery_id) WHERE status = 'failed';
CREATE INDEX events_by_order ON events (shop_id, order_id, at) WHERE order_id IS NOT NULL;
CREATE INDEX orders_by_email ON orders (shop_id, email_key, placed_at) WHERE email_key IS NOT NULL;
CREATE INDEX orders_by_number ON orders (shop_id, number) WHERE number IS NOT NULL;
CREATE INDEX customers_by_email ON customers (shop_id, email_key) WHERE email_key IS NOT NULL;
CREATE INDEX shipments_by_order ON shipments (shop_id, order_id);
CREATE INDEX shipment_events_by_order ON shipment_events (shop_id, order_id);
CREATE INDEX shipment_events_by_shipment ON shipment_events (shop_id, shipment_id, status, at);
CREATE INDEX refunds_by_order ON refunds (shop_id, order_id);
CREATE INDEX returns_by_order ON returns (shop_id, order_id);
CREATE INDEX consents_by_customer ON consents (shop_id, customer_id);
CREATE INDEX runs_due ON runs (wake_at) WHERE status IN ('ready', 'sleeping', 'awaiting') AND wake_at IS NOT NULL;
CREATE INDEX runs_by_order ON runs (shop_id, order_id) WHERE order_id IS NOT NULL;
CREATE INDEX runs_by_subject ON runs (shop_id, subject_id) WHERE subject_kind <> 'order';
CREATE INDEX runs_by_email ON runs (shop_id, email_key) WHERE email_key IS NOT NULL;
CREATE INDEX runs_by_customer ON runs (shop_id, customer_id) WHERE customer_id IS NOT NULL;
CREATE INDEX journal_by_run ON journal (shop_id, run_id, seq);
CREATE INDEX effects_due ON effects (priority, due_at) WHERE status = 'pending';
CREATE INDEX effects_leased ON effects (lease_until) WHERE status = 'sending';
CREATE INDEX effects_by_run ON effects (shop_id, run_id);
CREATE INDEX effects_by_order ON effects (shop_id, order_id) WHERE order_id IS NOT NULL;
CREATE INDEX effects_sent ON effects (shop_id, recipient_key, done_at) WHERE status = 'sent';
CREATE INDEX reviews_by_order ON reviews (shop_id, order_id);
CREATE INDEX referral_codes_by_advocate ON referral_codes (shop_id, advocate_email_key);
CREATE INDEX referrals_by_order ON referrals (shop_id, friend_order_id);
CREATE INDEX referrals_by_advocate ON referrals (shop_id, advocate_email_key);
CREATE INDEX links_by_token ON links (token);
CREATE INDEX effects_troubled ON effects (created_at) WHERE status IN ('failed', 'uncertain');
CREATE INDEX delivery_progress_quarantined ON delivery_progress (shop_id, delivery_id) WHERE status = 'quarantined';
CREATE INDEX connect_attempts_expiry ON connect_attempts (expires_at);
CREATE INDEX renewals_keep ON renewals (keep_at) WHERE keep_at IS NOT NULL;
CREATE INDEX notices_due ON notices (due_at) WHERE status = 'pending';
CREATE INDEX jobs_due ON jobs (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX job_reports_by_shop ON job_reports (shop_id, kind, seq);
CREATE INDEX orders_by_placed ON orders (shop_id, placed_at) WHERE placed_at IS NOT NULL;
CREATE INDEX privacy_requests_due ON privacy_requests (due_at) WHERE status IN ('open', 'erased');
CREATE INDEX privacy_exports_expiry ON privacy_exports (expires_at);
CREATE INDEX effects_reached ON effects (shop_id, recipient_key)
WHERE kind = 'message' AND purpose <> 'transactional' AND recipient_key <> '' AND status IN ('sending', 'sent', 'uncertain');
CREATE INDEX wakeups_due ON wakeups (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX wakeups_by_order ON wakeups (shop_id, order_id) WHERE order_id IS NOT NULL;
CREATE INDEX wakeups_by_customer ON wakeups (shop_id, customer_id) WHERE customer_id IS NOT NULL;
CREATE INDEX wakeups_by_email ON wakeups (shop_id, email_key) WHERE email_key IS NOT NULL;
CREATE INDEX armings_open ON armings (updated_at) WHERE state <> 'done';
CREATE INDEX orders_by_account ON orders (shop_id, customer_id, placed_at)
  WHERE email_key IS NULL AND customer_id IS NOT NULL;
CREATE INDEX standings_due ON standings (look_at) WHERE look_at IS NOT NULL;
CREATE INDEX segment_members_by_name ON segment_members (shop_id, name);
CREATE INDEX shop_figures_due ON shop_figures (due_at);
CREATE INDEX points_by_owner ON points (shop_id, owner, at);
CREATE INDEX runs_tasks ON runs (shop_id, wake_at) WHERE status = 'awaiting' AND awaiting = '["task.decided"]';
CREATE INDEX effects_begun ON effects (shop_id, flow_id, first_try_at)
WHERE kind = 'message' AND purpose <> 'transactional' AND first_try_at IS NOT NULL;
CREATE INDEX effects_held ON effects (shop_id, flow_id, created_at) WHERE status = 'held';
CREATE INDEX objections_of_flow ON objections (shop_id, flow_id, kind, at);
CREATE INDEX effects_by_message ON effects (message_key) WHERE message_key IS NOT NULL;
CREATE INDEX channel_events_troubled ON channel_events (shop_id, at)
  WHERE kind IN ('bounced', 'complained', 'failed', 'replied');
CREATE INDEX push_subscriptions_of ON push_subscriptions (shop_id, email_key, created_at);
CREATE INDEX short_links_by_id ON short_links (url_id);
CREATE INDEX clicks_of_effect ON clicks (shop_id, effect_id, at);
CREATE INDEX clicks_new ON clicks (at) WHERE verdict = 'new';
COMMIT;
