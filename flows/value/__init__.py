"""Value that customers earn: the ledger's rules and the loyalty programme's. Pure, except `bookings`, `loyalty` and `vouchers`."""
