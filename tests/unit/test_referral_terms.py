"""The `referrals` table: names and shapes a layer at a time, the whole of a shop, and what flows are told of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from connector.config.layering import merge
from connector.config.referral_params import flow_params
from connector.config.referrals import ReferralTerms, read_referrals, referral_faults
from connector.model import Money
from flows.referring.promises import over_cap, promise
from flows.render.renderer import Renderer
from flows.render.samples import samples

GOOD: dict[str, Any] = {
    "friend": "10 %",
    "minimum": "30 EUR",
    "return_window": "14d",
    "reward": {"kind": "credit", "worth": "10 EUR", "valid": "90d"},
    "friend_reward": {"kind": "points", "points": 50},
    "tiers": {"fifth": {"at": 5, "kind": "credit", "worth": "20 EUR"}},
    "caps": {"rewards": 4, "value": "35 EUR"},
    "rules": {"same_address": "hold"},
}


def read(*layers: dict[str, Any]) -> tuple[ReferralTerms, list[str]]:
    faults: list[str] = []
    layered = merge([(f"layer{number}", {"referrals": table}) for number, table in enumerate(layers)])
    return read_referrals(layered, "shop", "EUR", faults), faults


def test_the_whole() -> None:
    terms, faults = read(GOOD)
    assert faults == []
    assert terms.enabled
    assert terms.hold == timedelta(days=16)
    assert [terms.reward_for(nth).worth for nth in (1, 4, 5, 9)] == ["10 EUR", "10 EUR", "20 EUR", "20 EUR"]
    assert (terms.does("same_address"), terms.does("same_email"), terms.does("velocity")) == ("hold", "block", "hold")


def test_a_shop_says_over_its_agency_and_without_a_table_there_is_nothing() -> None:
    terms, _ = read(GOOD, {"reward": {"worth": "7 EUR"}, "rules": {"velocity": "off"}, "tiers": {"fifth": {"enabled": False}}})  # fmt: skip # noqa: E501
    assert [reward.worth for reward in terms.rewards] == ["7 EUR"]
    assert (terms.does("velocity"), terms.does("same_address")) == ("off", "hold")
    nothing = read_referrals(merge([("defaults", {})]), "shop", "EUR", [])
    assert not nothing.enabled
    assert flow_params(nothing, "referral_reward") == {}
    assert read({**GOOD, "enabled": False})[0] == ReferralTerms() == nothing
    assert read({"reward": GOOD["reward"]})[0].hold == timedelta(days=30), "an unknown return window"


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ({"freind": "10 %"}, "referrals.freind: unknown key; did you mean 'friend'"),
        ({"friend": "much"}, "should be 10 %, an amount"),
        ({"friend": "0 %"}, "should be 10 %"),
        ({"friend": "free"}, 'or "free delivery"'),
        ({"window": "120d"}, "90d at most"),
        ({"rules": {"same_mail": "hold"}}, "unknown key; did you mean 'same_email'"),
        ({"rules": {"same_email": "holdd"}}, "did you mean 'hold'"),
        ({"reward": {"kind": "cash"}}, "should be one of code, credit"),
        ({"caps": {"over": "drop"}}, "should be one of hold, refuse"),
        ({"tiers": {"X": {}}}, "names are lower-case"),
        ({"disposable": ["not a domain"]}, "list of mail domains"),
        ({"minimum": "30"}, "an amount such as 30 EUR"),
    ],
)
def test_a_slip_is_named(table: dict[str, Any], fault: str) -> None:
    (found,) = referral_faults("referrals", table)
    assert fault in found


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"reward": {"kind": "points", "worth": "5 EUR"}}, "needs points = 100"),
        ({"reward": {"kind": "credit", "worth": "5 %"}}, "is an amount"),
        ({"reward": {"kind": "credit", "worth": "free delivery"}}, "a credit is an amount"),
        ({"friend_reward": {"kind": "gift_card", "worth": "free delivery"}}, "a gift_card is an amount"),
        ({"reward": {"kind": "code", "worth": "5 USD"}}, "currency of the shop, EUR"),
        ({"minimum": "5 USD"}, "layer0.referrals.minimum"),
        ({"tiers": {"a": {"at": 1, "kind": "code", "worth": "5 EUR"}}}, "at = 2 or more"),
    ],
)
def test_what_only_the_whole_can_tell(changes: dict[str, Any], fault: str) -> None:
    _, faults = read({**GOOD, **changes})
    assert any(fault in each for each in faults), faults


def test_free_delivery_is_a_worth_of_codes() -> None:
    terms, faults = read({"friend": "free delivery", "reward": {"kind": "code", "worth": "free delivery"}, "caps": {"value": "5 EUR"}})  # fmt: skip # noqa: E501
    assert faults == []
    assert flow_params(terms, "referral_invite")["friend_reward"] == "free delivery"
    assert flow_params(terms, "referral_reward")["reward"] == "free delivery"
    assert terms.rewards[0].money is None, "like a percentage it has no amount before it is used"
    assert not over_cap(terms, promise(terms, 2), "aino", [("aino", promise(terms, 1))])


def with_rule(rewards: dict[str, Any], rule: dict[str, Any], **loyalty: Any) -> list[str]:
    """The faults of a shop whose programme gives points for friends too."""
    faults: list[str] = []
    tables = {"referrals": {**GOOD, **rewards}, "loyalty": {"rules": {"pals": rule}, **loyalty}}
    read_referrals(merge([("app", {}), ("client acme", tables)]), "shop", "EUR", faults)
    return faults


RULE = {"kind": "referral", "points": 200}
TIER = {"fifth": {"at": 5, "kind": "points", "points": 100}}


@pytest.mark.parametrize("rewards", [{"reward": {"kind": "points", "points": 100}}, {"tiers": TIER}])
def test_points_for_a_friend_are_earned_by_one_table(rewards: dict[str, Any]) -> None:
    (fault,) = with_rule(rewards, RULE)
    assert fault.startswith("client acme.referrals.reward: gives points, and so does loyalty.rules.pals")
    assert "loyalty.rules.pals.enabled = false" in fault


@pytest.mark.parametrize(
    ("rewards", "rule", "loyalty"),
    [
        ({}, RULE, {}),
        ({"reward": {"kind": "points", "points": 100}}, {**RULE, "enabled": False}, {}),
        ({"reward": {"kind": "points", "points": 100}}, {"kind": "review", "points": 20}, {}),
        ({"reward": {"kind": "points", "points": 100}}, RULE, {"enabled": False}),
        ({"reward": {"kind": "points", "points": 100}, "enabled": False}, RULE, {}),
    ],
)
def test_one_table_alone_is_right(rewards: dict[str, Any], rule: dict[str, Any], loyalty: dict[str, Any]) -> None:
    changed = {key: value for key, value in rewards.items() if key != "enabled"}
    assert with_rule({"tiers": {}, **changed, **rewards}, rule, **loyalty) == []


def test_a_table_without_a_reward_says_what_to_write() -> None:
    assert read({"friend": "5 EUR"})[1] == [
        'layer0.referrals.reward: missing; write reward = { kind = "code", worth = "10 %" }'
    ]


def test_flows_are_told_what_is_theirs() -> None:
    terms, _ = read(GOOD)
    assert flow_params(terms, "referral_invite") == {"friend_reward": "10 %", "minimum": "30 EUR"}
    assert flow_params(terms, "referral_reward") == {"hold": "16d", "kinds": "credit", "friend_kinds": "points"}
    assert flow_params(terms, "winback") == {}


def test_the_limits_of_a_month() -> None:
    terms, _ = read(GOOD)
    mine = [("aino", promise(terms, nth)) for nth in (1, 2)]
    assert not over_cap(terms, promise(terms, 3), "aino", mine)
    assert over_cap(terms, promise(terms, 5), "aino", mine), "20 and 20 EUR are more than 35"
    four = [("aino", {"kind": "points", "worth": "5"})] * 4
    assert over_cap(terms, promise(terms, 1), "aino", four), "four rewards are as many as there may be"
    assert not over_cap(terms, promise(terms, 1), "eero", four)
    whole, _ = read({**GOOD, "caps": {"shop_rewards": 4}})
    assert over_cap(whole, promise(whole, 1), "eero", four)
    assert terms.caps.value == Money(Decimal(35), "EUR")


@pytest.mark.parametrize("kind", ["code", "credit", "gift_card", "points"])
@pytest.mark.parametrize("language", ["en", "fi", "ja", "ar"])
def test_both_mails_name_the_reward(kind: str, language: str) -> None:
    renderer = Renderer()
    given = {"outcome": "done", "kind": kind, "worth": "17 EUR", "code": "THANKS-7"}
    for name, step in (("referral_reward", "given"), ("referral_friend", "friend_given")):
        view = replace(samples()["five_lines"], locale=language, steps={step: given, "code": given})
        parts = renderer.parts(name, view)
        assert "17 EUR" in parts.text
        assert "17" in parts.html


_WORDS = {
    "en": "free delivery",
    "fi": "ilmai",
    "sv": "fri frakt",
    "de": "Versand",
    "ja": "送料無料",
    "ar": "توصيل مجاني",
}


@pytest.mark.parametrize("language", sorted(_WORDS))
def test_mails_say_free_delivery_in_their_own_words(language: str) -> None:
    """As the friend's benefit, by a flow's own parameters, and as what was promised; never the setting's own words."""
    renderer, given = Renderer(), {"outcome": "done", "kind": "code", "worth": "free delivery", "code": "THANKS-7"}
    sample = replace(samples()["five_lines"], locale=language, params={"friend_reward": "free delivery", "reward": "free delivery"})  # fmt: skip # noqa: E501
    cases = {"referral_invite": "code", "referral_reward": "given", "referral_friend": "friend_given"}
    for name, step in cases.items():
        parts = renderer.parts(name, replace(sample, steps={step: given}))
        for text in (parts.text, parts.html):
            assert _WORDS[language] in text, name
            assert language == "en" or "free delivery" not in text, name
    assert "THANKS-7" in renderer.parts("referral_reward", replace(sample, steps={"given": given})).text
    own = renderer.parts("referral_reward", replace(sample, steps={"code": given}))
    assert _WORDS[language] in own.text


@pytest.mark.parametrize("name", ["loyalty_anniversary", "loyalty_birthday", "loyalty_vip", "marketing_signup_benefit", "winback_offer"])  # fmt: skip # noqa: E501
def test_other_presents_may_be_free_delivery(name: str) -> None:
    renderer, code = Renderer(), {"code": {"outcome": "done", "code": "THANKS-7"}}
    for language, word in (("en", "elive"), ("fi", "ilmai")):
        view = replace(samples()["five_lines"], locale=language, params={"reward": "free delivery"}, steps=code)
        parts = renderer.parts(name, view)
        assert word in parts.text
        assert "free delivery cheaper" not in parts.text
        assert "free delivery off" not in parts.text + parts.subject
        assert "10 %" in renderer.parts(name, replace(view, params={"reward": "10 %"})).text
