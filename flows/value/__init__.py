"""Value that customers earn: the ledger's rules and the loyalty programme's. Pure, except `books` and `loyalty`."""
