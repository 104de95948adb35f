-- What a flow has begun to send since a moment: its budget of the day, and of how many a complaint came.
CREATE INDEX effects_begun ON effects (shop_id, flow_id, first_try_at)
WHERE kind = 'message' AND purpose <> 'transactional' AND first_try_at IS NOT NULL;

-- What waits for a person's word.
CREATE INDEX effects_held ON effects (shop_id, flow_id, created_at) WHERE status = 'held';

-- The newest sign of life of a person in a shop that no other table tells (a click, a review, a changed mind).
CREATE TABLE engagements (
  shop_id TEXT NOT NULL,
  address_key TEXT NOT NULL,
  kind TEXT NOT NULL,
  at TEXT NOT NULL,
  PRIMARY KEY (shop_id, address_key)
) {without_rowid};

-- Who has had enough of a flow: an opt-out or complaint after one of its messages. It names nobody.
CREATE TABLE objections (
  shop_id TEXT NOT NULL,
  objection_id TEXT NOT NULL,
  flow_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  at TEXT NOT NULL,
  PRIMARY KEY (shop_id, objection_id)
) {without_rowid};
CREATE INDEX objections_of_flow ON objections (shop_id, flow_id, kind, at);

-- Flows whose messages are held, by an alarm or a person's word.
CREATE TABLE flow_pauses (
  shop_id TEXT NOT NULL,
  flow_id TEXT NOT NULL,
  at TEXT NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (shop_id, flow_id)
) {without_rowid};
