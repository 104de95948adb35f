"""What a flow may know of an order, a person, a shop: read when it is asked for."""
