"""Where an order is, and when it may come."""
