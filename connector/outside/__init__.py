"""Speaking to servers that are not ours, whoever named them."""
