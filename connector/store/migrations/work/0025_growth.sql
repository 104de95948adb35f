-- Every message to an address: a person's calendar, their soft bounces and their erasure look them up.
CREATE INDEX effects_by_address ON effects (shop_id, recipient_key) WHERE recipient_key <> '';
-- Served by the above: a person has few messages, of whatever purpose.
DROP INDEX effects_reached;
