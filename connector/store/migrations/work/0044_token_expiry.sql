-- When a shop's credentials lapse, and when what renews them does: told by the platform, shown to the operator.
ALTER TABLE renewals ADD COLUMN lapses_at TEXT;
ALTER TABLE renewals ADD COLUMN ends_at TEXT;
