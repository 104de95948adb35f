"""Triggers that are no events yet: dates, calendar days, silence. A wake-up, once due, becomes an event like any other.

`forms` and `moments` are pure; `arming` keeps the wake-ups of the store.
"""
