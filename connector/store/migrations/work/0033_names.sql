-- What accounts bought under addresses of their own: tiers count it for somebody with several names (purchase_of_names).
CREATE INDEX orders_of_account ON orders (shop_id, customer_id) WHERE customer_id IS NOT NULL AND email_key IS NOT NULL;
