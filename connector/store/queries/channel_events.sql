-- effect_by_message --
-- The message a provider gives our key back for.
SELECT shop_id, effect_id FROM effects WHERE message_key = :message_key

-- channel_event_put --
-- Once: a repetition changes nothing.
INSERT INTO channel_events (shop_id, effect_id, channel, event_id, kind, at, recorded_at, delivery_id, raw_kind, bounce,
  code, url, recipient, said, by_machine)
VALUES (:shop_id, :effect_id, :channel, :event_id, :kind, :at, :recorded_at, :delivery_id, :raw_kind, :bounce,
  :code, :url, :recipient, :said, :by_machine)
ON CONFLICT (shop_id, effect_id, channel, event_id) DO NOTHING

-- channel_event_adopt --
-- Its message was found after all.
DELETE FROM channel_events
WHERE shop_id = :account AND effect_id = '' AND channel = :channel AND event_id = :event_id

-- channel_events_of --
-- Everything told of some messages, in the order it happened.
SELECT * FROM channel_events
WHERE shop_id = :shop_id AND effect_id IN (SELECT value FROM {json_texts}(:ids))
ORDER BY at, recorded_at, event_id

-- channel_event_get --
-- One.
SELECT * FROM channel_events
WHERE shop_id = :shop_id AND effect_id = :effect_id AND channel = :channel AND event_id = :event_id

-- channel_events_unmatched --
-- What was told of messages we do not know, newest first.
SELECT * FROM channel_events WHERE shop_id = :account AND effect_id = '' ORDER BY at DESC, event_id LIMIT :limit

-- channel_events_troubled --
-- What came back, was objected to or answered, newest first. The condition repeats the partial index's own.
SELECT * FROM channel_events WHERE shop_id = :shop_id AND kind IN ('bounced', 'complained', 'failed', 'replied')
  AND (:kind = '' OR kind = :kind) AND effect_id <> '' AND at >= :since
ORDER BY at DESC, event_id LIMIT :limit

-- channel_events_soft --
-- How many messages to an address came back for a while, or were not taken, within a time.
SELECT COUNT(DISTINCT e.effect_id) AS total FROM effects e
JOIN channel_events c ON c.shop_id = e.shop_id AND c.effect_id = e.effect_id
WHERE e.shop_id = :shop_id AND e.recipient_key = :recipient_key AND e.recipient_key <> ''
  AND e.channel = :channel AND ((c.kind = 'bounced' AND e.status = 'sent') OR c.kind = 'refused') AND c.bounce = 'soft' AND c.at >= :since

-- suppressions_of_shop --
-- All of a shop's, or of one reason or channel.
SELECT * FROM suppressions WHERE shop_id = :shop_id AND (:reason = '' OR reason = :reason)
  AND (:channel = '' OR channel = :channel)
ORDER BY at DESC, address_key, channel, scope LIMIT :limit
