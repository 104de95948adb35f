"""Processes: the receiver, the one that keeps a worker alive."""
