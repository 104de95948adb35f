"""Receiving: from the socket to one durable row, and nothing more."""
