-- When a person last got something of the marketing class, of any flow: asked before each such message, and of nothing else.
CREATE INDEX effects_reached ON effects (shop_id, recipient_key)
WHERE kind = 'message' AND purpose <> 'transactional' AND recipient_key <> '' AND status IN ('sending', 'sent', 'uncertain');
