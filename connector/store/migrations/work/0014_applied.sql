-- What runs in a shop is its newest row. Append-only: going back appends an earlier state again.
-- `flows` is a JSON list (flow, version, where each value came from), `changes` what this state changed and how the
-- people in flight were migrated. `plan` is the digest that was reviewed, `part` this shop's share of it.
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
