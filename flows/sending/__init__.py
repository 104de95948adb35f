"""A message or an effect from the decision to what became of it."""
