"""Rules that keep lawful messages from becoming too many, and when somebody may be disturbed."""
