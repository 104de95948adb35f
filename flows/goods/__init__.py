"""What a shop's history says of its goods: what goes together, how long it lasts, how to use it."""
