-- Messages with an unknown outcome by address: a person's calendar looks them up.
CREATE INDEX effects_uncertain ON effects (shop_id, recipient_key) WHERE status = 'uncertain';
