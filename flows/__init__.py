"""Flows: what happens to a customer after the order, and the messages that say so."""
