-- Deliveries as they came, append-only. The body stands last so that a scan by id does not touch it.
-- `encoding` 0: as it came, 1: zstd.
CREATE TABLE inbox (
  id {serial_pk},
  shop_id TEXT NOT NULL,
  platform TEXT NOT NULL,
  topic TEXT NOT NULL,
  dedup_key TEXT NOT NULL,
  received_at TEXT NOT NULL,
  quarantine TEXT NOT NULL,
  headers TEXT NOT NULL,
  encoding INTEGER NOT NULL,
  body {blob} NOT NULL,
  UNIQUE (shop_id, topic, dedup_key)
  {postgres}, PRIMARY KEY (shop_id, id)
);

{postgres}CREATE INDEX inbox_by_id ON inbox (id);
