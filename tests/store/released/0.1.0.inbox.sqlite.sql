BEGIN TRANSACTION;
CREATE TABLE inbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  shop_id TEXT NOT NULL,
  platform TEXT NOT NULL,
  topic TEXT NOT NULL,
  dedup_key TEXT NOT NULL,
  received_at TEXT NOT NULL,
  quarantine TEXT NOT NULL,
  headers TEXT NOT NULL,
  encoding INTEGER NOT NULL,
  body BLOB NOT NULL,
  UNIQUE (shop_id, topic, dedup_key)
);
INSERT INTO "inbox" VALUES(1,'shop_id 1','platform 1','topic 1','dedup_key 1','2026-11-01T08:00:00.000000Z','quarantine 1','headers 1',1,X'62797465732031');
INSERT INTO "inbox" VALUES(2,'shop_id 2','platform 2','topic 2','dedup_key 2','2026-11-02T08:00:00.000000Z','quarantine 2','headers 2',2,X'62797465732032');
CREATE TABLE schema_ledger (component TEXT NOT NULL, name TEXT NOT NULL, applied_at TEXT NOT NULL, PRIMARY KEY (component, name));
INSERT INTO "schema_ledger" VALUES('inbox/oldest','0001_inbox','2026-11-22T15:43:51.571383Z');
INSERT INTO "schema_ledger" VALUES('inbox','0001_inbox','2026-11-22T15:43:51.587009Z');
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('inbox',2);
COMMIT;
