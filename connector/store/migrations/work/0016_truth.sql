-- What a provider gives back in its events, so that they find their message: known from the first attempt on.
ALTER TABLE effects ADD COLUMN message_key TEXT;
CREATE INDEX effects_by_message ON effects (message_key) WHERE message_key IS NOT NULL;

-- What providers told of messages, once each. One that belongs to no message we know (any more) has no effect, and the
-- channel's account (`channel:NAME`) in the shop's place. `recipient` is kept only there, and masked.
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
) {without_rowid};
CREATE INDEX channel_events_troubled ON channel_events (shop_id, at)
  WHERE kind IN ('bounced', 'complained', 'failed', 'replied');
