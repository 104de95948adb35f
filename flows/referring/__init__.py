"""Referrals of shops with a `referrals` table: whose friend an order is, what speaks against it, what is promised."""
