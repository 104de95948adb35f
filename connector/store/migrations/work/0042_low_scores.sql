-- Low scores that wait for a person, of one shop: the list of tasks, the page of results and the health check ask for them.
CREATE INDEX care_holds_waiting ON care_holds (shop_id, reason, until) WHERE ended_at IS NULL;
