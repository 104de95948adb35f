"""Surveys, returns and complaints, and what waits for a person's word."""
