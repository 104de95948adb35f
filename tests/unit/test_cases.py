"""The machine of a case: whatever order news come in, it never goes back, and what is settled stays settled."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from connector.model.case import ACTIONS, CLOSED, OPEN, STATES, after, possible

RANK = {"received": 0, "accepted": 1, "arrived": 2, "refused": 3, "refunded": 4, "closed": 5}


def test_every_state_is_reached_and_leads_on() -> None:
    reached = {"received"} | {state for moves in ACTIONS.values() for state in moves.values()}
    assert reached == set(STATES)
    assert possible(CLOSED) == ()
    assert all(possible(state) for state in STATES if state != CLOSED)
    assert set(OPEN) == {"received", "accepted", "arrived"}


@given(st.lists(st.sampled_from(list(ACTIONS)), max_size=12))
@settings(max_examples=200)
def test_only_a_refusal_can_be_taken_back(actions: list[str]) -> None:
    state = "received"
    for action in actions:
        following = after(state, action)
        if following is None:
            assert action not in possible(state)
            continue
        assert following != state
        assert RANK[following] > RANK[state] or (state, following) == ("refused", "accepted")
        state = following


@given(st.lists(st.sampled_from(["accept", "arrive", "refund"]), min_size=1, max_size=8))
def test_news_told_twice_are_told_once(actions: list[str]) -> None:
    once, twice = "received", "received"
    for action in actions:
        once = after(once, action) or once
        for _ in range(2):
            twice = after(twice, action) or twice
    assert once == twice
