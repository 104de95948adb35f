"""Referrals: whose friend an order is, what speaks against it, what is promised, and when it is given."""
