-- funnel_runs --
-- Where a flow's runs stand or ended, by version and step.
SELECT version, step, status, reason, COUNT(*) AS total, MIN(run_id) AS example FROM runs
WHERE shop_id = :shop_id AND flow_id = :flow_id AND created_at >= :since
GROUP BY version, step, status, reason ORDER BY version, step, status, reason

-- funnel_reached --
-- How many runs came to each step: guards that turned them away at its door do not count.
SELECT j.step_id, COUNT(DISTINCT j.run_id) AS total FROM runs r
JOIN journal j ON j.shop_id = r.shop_id AND j.run_id = r.run_id
WHERE r.shop_id = :shop_id AND r.flow_id = :flow_id AND r.created_at >= :since AND j.step_id <> ''
  AND j.what IN ('sleeping', 'awaiting', 'acting', 'done', 'exited')
GROUP BY j.step_id

-- funnel_turned_away --
-- What guards said, with what they saw.
SELECT j.step_id, j.what, j.detail, COUNT(DISTINCT j.run_id) AS total, MIN(j.run_id) AS example, MAX(j.at) AS at
FROM runs r
JOIN journal j ON j.shop_id = r.shop_id AND j.run_id = r.run_id
WHERE r.shop_id = :shop_id AND r.flow_id = :flow_id AND r.created_at >= :since AND j.what IN ('skipped', 'not_started')
GROUP BY j.step_id, j.what, j.detail

-- funnel_effects --
-- What became of what was decided.
SELECT e.step_id, e.status, e.reason, COUNT(*) AS total, MIN(e.run_id) AS example, MIN(e.effect_id) AS effect_id
FROM runs r
JOIN effects e ON e.shop_id = r.shop_id AND e.run_id = r.run_id
WHERE r.shop_id = :shop_id AND r.flow_id = :flow_id AND r.created_at >= :since
GROUP BY e.step_id, e.status, e.reason
