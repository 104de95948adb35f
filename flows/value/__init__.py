"""Value that customers earn: the rules of the ledger and of the loyalty programme.

`bookings`, `loyalty`, `tidings` and `vouchers` use the store; the rest is pure."""
