"""Broken on purpose: what is given for points, friends and opinions, and how it is taken back."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from connector.store import books
from connector.store.reviews import ReviewState
from connector.working import performing
from flows.referring import giving, programmes
from flows.referring import programme as terms
from flows.reviews import reviewing
from flows.sending import outcomes, records, repeating
from flows.steps import issue_store_credit
from flows.value import asides, exchanging, loyalty, opinions, vouchers
from tests.swarm.bugs.planting import Bug, wrap
from tests.swarm.house import House


def credit_without_looking(patch: pytest.MonkeyPatch, house: House) -> None:
    """Store credit is given again when the answer was lost."""
    wrap(
        patch,
        issue_store_credit,
        "attempt_of",
        lambda real, request, access: replace(real(request, access), again=False),
    )


def debit_without_looking(patch: pytest.MonkeyPatch, house: House) -> None:
    real = performing.BY_ADAPTER[vouchers.VOID]

    def hasty(adapter: Any, access: Any, effect: Any) -> Any:
        return real(adapter, access, replace(effect, tainted=False))

    patch.setitem(performing.BY_ADAPTER, vouchers.VOID, hasty)


def gifts_stay(patch: pytest.MonkeyPatch, house: House) -> None:
    """What a friend brought stays good when the friend is gone."""
    patch.setattr(terms, "void_all", lambda *_: 0)


def what_was_left_is_not_asked(patch: pytest.MonkeyPatch, house: House) -> None:
    """A card that was used in part is written down as taken back whole."""
    wrap(
        patch,
        asides,
        "voided",
        lambda real, tx, effect, values, now: real(
            tx, effect, {key: value for key, value in values.items() if key != "amount"}, now
        ),
    )


def given_and_not_entered(patch: pytest.MonkeyPatch, house: House) -> None:
    """Cards and credit are in no books; codes are."""
    wrap(
        patch,
        vouchers,
        "_given",
        lambda real, effect, values: found if (found := real(effect, values)) and found[0] == "discount" else None,
    )


def clicked_twice(patch: pytest.MonkeyPatch, house: House) -> None:
    """A double click is two exchanges."""
    numbers = count()
    wrap(
        patch,
        exchanging,
        "claim",
        lambda real, tx, shop, holder, address, reward, key, *more: real(
            tx, shop, holder, address, reward, f"{key}~{next(numbers)}", *more
        ),
    )


def more_codes_than_points(patch: pytest.MonkeyPatch, house: House) -> None:
    """An exchange does not look at what is there: the shop answers before the points are used."""

    def spend(real: Any, tx: Any, shop_id: str, key: str, holder: Any, amount: Any, *more: Any) -> bool:
        real(tx, shop_id, key, holder, amount, *more)
        return True

    wrap(patch, exchanging, "spend", spend)


def refused_and_kept(patch: pytest.MonkeyPatch, house: House) -> None:
    """The shop refuses a code, and its points are gone."""
    patch.setattr(exchanging, "return_points", lambda *_: False)


def back_and_still_good(patch: pytest.MonkeyPatch, house: House) -> None:
    """Points come back at once, and the code is not switched off."""

    def exchange_back(tx: Any, shop_id: str, found: Any, now: Any) -> bool:
        exchanging.return_points(tx, shop_id, found.id, now, exchanging.RETURNED)
        return True

    patch.setattr(exchanging, "exchange_back", exchange_back)


def held_and_usable(patch: pytest.MonkeyPatch, house: House) -> None:
    """What a review that nobody has looked at earned can be used."""
    patch.setattr(loyalty, "opens_at", lambda _, now: now)


def withdrawn_and_kept(patch: pytest.MonkeyPatch, house: House) -> None:
    patch.setattr(opinions, "_GONE", (ReviewState.HIDDEN,))


def shown_again_for_nothing(patch: pytest.MonkeyPatch, house: House) -> None:
    """What was taken back when a review was hidden is not given again."""
    wrap(
        patch,
        loyalty,
        "opinion",
        lambda real, row, known, now: (
            real(row, known, now)[0],
            {k: v for k, v in real(row, known, now)[1].items() if v},
        ),
    )


def reviews_stay_behind(patch: pytest.MonkeyPatch, house: House) -> None:
    """What a review earned stays with the address that its order had before (found by this search)."""
    patch.setattr(opinions, "moved", lambda *_: ([], {}))


def second_edit_shows(patch: pytest.MonkeyPatch, house: House) -> None:
    """What a person hid is shown by editing it twice (found by this search)."""
    patch.setattr(reviewing, "_was_hidden", lambda row: row.state is ReviewState.HIDDEN)


def one_name_for_two(patch: pytest.MonkeyPatch, house: House) -> None:
    """The friend's points have the name of a loyalty rule's (found by this search)."""
    patch.setattr(giving, "fact_id", lambda referral_id, side: f"referral/{referral_id}/{side}")


def doubt_is_a_no(patch: pytest.MonkeyPatch, house: House) -> None:
    """Money that was given, its answer lost and its cause gone, is written down as not given (found by this search)."""
    patch.setattr(repeating, "in_doubt", lambda effect: effect.tainted and effect.kind == "message")
    patch.setattr(outcomes, "in_doubt", lambda effect: effect.tainted and effect.kind == "message")


def taken_back_whole(patch: pytest.MonkeyPatch, house: House) -> None:
    """Credit that was used in part is taken back whole in the books (found by this search)."""
    patch.setattr(loyalty, "earned_because", books.facts_because)


def never_released(patch: pytest.MonkeyPatch, house: House) -> None:
    patch.setattr(records, "release_points", lambda *_: 1)


def returning_friend_counts(patch: pytest.MonkeyPatch, house: House) -> None:
    """Points stay for a friend who wants to send it back and brought no reward (found by this search)."""
    patch.setattr(programmes, "forgo", lambda *_: None)


def no_cap(patch: pytest.MonkeyPatch, house: House) -> None:
    patch.setattr(terms, "over_cap", lambda *_: False)


def always_the_first(patch: pytest.MonkeyPatch, house: House) -> None:
    """Every friend brings what the first one does."""
    wrap(patch, terms, "promise", lambda real, rules, _: real(rules, 1))


def kept_from(*states: str) -> Any:
    """The end of a referral is not heard of in these states."""

    def plant(patch: pytest.MonkeyPatch, house: House) -> None:
        def end(real: Any, scene: Any, row: Any, state: str, reason: str, only_from: Any) -> Any:
            return real(scene, row, state, reason, tuple(one for one in only_from if one not in states))

        wrap(patch, terms, "_end", end)

    return plant


BUGS = (
    Bug("credit is given again without looking", credit_without_looking),
    Bug("credit is taken again without looking", debit_without_looking),
    Bug("gifts stay when the friend is gone", gifts_stay),
    Bug("what was left on a card is not asked", what_was_left_is_not_asked),
    Bug("cards and credit are not entered", given_and_not_entered),
    Bug("a double click is two exchanges", clicked_twice),
    Bug("more codes than points", more_codes_than_points),
    Bug("a refused code costs points", refused_and_kept),
    Bug("exchanged back and still good", back_and_still_good),
    Bug("points of a held review can be used", held_and_usable),
    Bug("a withdrawn review keeps its points", withdrawn_and_kept),
    Bug("shown again and not rewarded again", shown_again_for_nothing),
    Bug("a review stays with the mistyped address", reviews_stay_behind),
    Bug("a second edit shows what was hidden", second_edit_shows),
    Bug("friend's points have a rule's name", one_name_for_two),
    Bug("money in doubt was not given", doubt_is_a_no),
    Bug("used credit is taken back whole", taken_back_whole),
    Bug("friend's points are never released", never_released),
    Bug("a friend who is returning counts", returning_friend_counts),
    Bug("no cap on friends", no_cap),
    Bug("every friend is the first", always_the_first),
    Bug("a refund while it waits is overlooked", kept_from("held", "review")),
    Bug("a refund after the reward is overlooked", kept_from("rewarded")),
)
