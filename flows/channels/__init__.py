"""Message channels: each takes finished messages, one recipient each, and says what became of them."""
