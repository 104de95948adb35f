"""Why somebody heard something, or did not: one person, one flow, a calendar."""
