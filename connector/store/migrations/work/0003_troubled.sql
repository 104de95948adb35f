-- What waits for a person: a handful of rows among millions.
CREATE INDEX effects_troubled ON effects (created_at) WHERE status IN ('failed', 'uncertain');
CREATE INDEX delivery_progress_quarantined ON delivery_progress (shop_id, delivery_id) WHERE status = 'quarantined';
