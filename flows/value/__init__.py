"""Value that customers earn: the rules of the ledger and the loyalty programme. `bookings`, `loyalty` and `vouchers` use
the store; the rest is pure."""
