"""What the receiver's profile makes of two readings of its counters."""

from __future__ import annotations

from bench.profile_receiver import report


def test_the_mean_is_that_of_the_commits_in_between() -> None:
    before = {"kiitos_inbox_batch_rows_count": 10.0, "kiitos_inbox_batch_rows_sum": 500.0}
    after = {
        "kiitos_inbox_batch_rows_count": 14.0,
        "kiitos_inbox_batch_rows_sum": 540.0,
        "kiitos_inbox_commit_seconds_sum": 0.008,
    }
    assert report(before, after) == "commits: 4, of 10.0 rows and 2.00 ms"


def test_without_a_commit_nothing_is_divided_by_nothing() -> None:
    same = {
        "kiitos_inbox_batch_rows_count": 3.0,
        "kiitos_inbox_batch_rows_sum": 9.0,
        "kiitos_inbox_commit_seconds_sum": 1.0,
    }
    assert report(same, same) == "commits: 0, of 0.0 rows and 0.00 ms"
