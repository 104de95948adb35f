-- Shops take turns while more is due than fits a batch (connector/store/turns.py): what is due, by shop. The indexes by
-- time alone stay: they say what is due at all, which with ten thousand shops must not cost ten thousand looks.
CREATE INDEX delivery_progress_turns ON delivery_progress (shop_id, due_at, delivery_id)
WHERE status IN ('new', 'leased');
CREATE INDEX runs_turns ON runs (shop_id, wake_at)
WHERE status IN ('ready', 'sleeping', 'awaiting') AND wake_at IS NOT NULL;
CREATE INDEX effects_turns ON effects (priority, shop_id, due_at) WHERE status = 'pending';
