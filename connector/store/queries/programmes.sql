-- referral_code_put --
-- Once per code.
INSERT INTO referral_codes (shop_id, code_key, advocate_email_key, advocate_customer_id, order_id, run_id, created_at)
VALUES (:shop_id, :code_key, :advocate_email_key, :advocate_customer_id, :order_id, :run_id, :now)
ON CONFLICT (shop_id, code_key) DO NOTHING

-- referral_code_get --
-- Whose code it is.
SELECT code_key, advocate_email_key, advocate_customer_id, order_id, run_id, created_at
FROM referral_codes WHERE shop_id = :shop_id AND code_key = :code_key

-- referral_code_of --
-- An advocate's newest code.
SELECT code_key, advocate_email_key, advocate_customer_id, order_id, run_id, created_at
FROM referral_codes WHERE shop_id = :shop_id AND advocate_email_key = :email_key
ORDER BY created_at DESC, code_key LIMIT 1

-- referral_by_order --
-- The referral a friend's order made.
SELECT referral_id, code_key, advocate_email_key, friend_email_key, friend_order_id, state, reason, created_at,
  updated_at, way, evidence, signs, friend_hash, opens_at, reward, month, decided_by, decided_at, note
FROM referrals WHERE shop_id = :shop_id AND friend_order_id = :order_id ORDER BY created_at, referral_id LIMIT 1

-- referral_of_advocate --
-- Everything an advocate brought.
SELECT referral_id, code_key, advocate_email_key, friend_email_key, friend_order_id, state, reason, created_at,
  updated_at, way, evidence, signs, friend_hash, opens_at, reward, month, decided_by, decided_at, note
FROM referrals WHERE shop_id = :shop_id AND advocate_email_key = :email_key ORDER BY created_at, referral_id

-- referral_set_state --
-- Compare and set: a reward is given once, a person's word is taken once.
UPDATE referrals SET state = :state, reason = :reason, updated_at = :now,
  decided_by = CASE WHEN :decided_by = '' THEN decided_by ELSE :decided_by END,
  decided_at = CASE WHEN :decided_by = '' THEN decided_at ELSE :now END,
  note = CASE WHEN :decided_by = '' THEN note ELSE :note END
WHERE shop_id = :shop_id AND referral_id = :referral_id AND state IN (SELECT value FROM {json_texts}(:only_from))

-- link_put --
-- Once per token.
INSERT INTO links (shop_id, token, kind, data, created_at) VALUES (:shop_id, :token, :kind, :data, :now)
ON CONFLICT (shop_id, token) DO NOTHING

-- link_get --
-- What a token in a customer's hands stands for.
SELECT shop_id, token, kind, data FROM links WHERE token = :token
