"""The `surveys` and `returns` tables: what is read from layers, and what is refused with its place."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from connector.config.layering import merge
from connector.config.returns import Returns, read_returns, returns_faults
from connector.config.surveys import Surveys, read_surveys, surveys_faults


def read(*layers: dict[str, Any]) -> tuple[Surveys, list[str]]:
    faults: list[str] = []
    for number, layer in enumerate(layers):
        assert surveys_faults(f"layer{number}.surveys", layer) == []
    layered = merge([(f"layer{number}", {"surveys": layer}) for number, layer in enumerate(layers)])
    return read_surveys(layered, "clients.c.shops.s", faults), faults


def test_without_a_word_there_are_five_stages() -> None:
    found, faults = read({})
    assert not faults
    assert {name: stage.scale.kind for name, stage in found.stages.items()} == {
        "order": "ces", "delivery": "csat", "sixty_days": "nps", "return": "csat", "case": "csat",
    }  # fmt: skip
    assert (found.apart, found.share, found.edit_for) == (timedelta(days=91), 1.0, timedelta(days=14))


def test_a_client_changes_a_word_of_the_agencys() -> None:
    agency = {"share": "50%", "stages": {"delivery": {"low": 3, "high": 5, "question": {"en": "How was {shop}?"}}}}
    client = {"apart": "120d", "stages": {"delivery": {"question": {"en": "All fine?"}}, "shop": {"kind": "nps"}}}
    found, faults = read(agency, client)
    assert not faults
    delivery = found.stages["delivery"]
    assert (delivery.scale.low, delivery.scale.high, delivery.question) == (3, 5, {"en": "All fine?"})
    assert (found.share, found.apart.days, found.stages["shop"].scale.most) == (0.5, 120, 10)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"apart": "30d"}, "s.apart: nobody is asked more than once a quarter: write 91d or more"),
        ({"apart": "soon"}, "s.apart: "),
        ({"share": "half"}, 's.share: should be a share such as "50%"'),
        ({"shares": "50%"}, "s.shares: unknown key; did you mean 'share'?"),
        ({"stages": {"delivery": {"kind": "npc"}}}, "s.stages.delivery.kind: should be one of nps, csat, ces"),
        ({"stages": {"Delivery!": {}}}, "s.stages.Delivery!: names are"),
        ({"stages": {"delivery": {"question": "How?"}}}, "s.stages.delivery.question: should be a table of texts"),
        ({"stages": {"delivery": {"question": {"en": "x" * 301}}}}, "en: should be a text of at most 300 letters"),
        ({"stages": {"delivery": {"follow_up": {"bad": {"en": "x"}}}}}, "s.stages.delivery.follow_up.bad: unknown key"),
        ({"stages": []}, "s.stages: should be a table"),
        ([], "s: should be a table"),
    ],
)
def test_faults_name_their_place(table: Any, says: str) -> None:
    (found,) = surveys_faults("s", table)
    assert says in found


@pytest.mark.parametrize(
    ("stages", "says"),
    [
        ({"shop": {"low": 2}}, 'layer0.surveys.stages.shop: needs kind = "csat" or another of nps, csat, ces'),
        ({"delivery": {"low": 4}}, "layer0.surveys.stages.delivery: needs 1 <= low < high <= 5, not low 4 and high 4"),
        ({"delivery": {"kind": "nps", "high": 11}}, ""),
    ],
)
def test_what_only_the_whole_tells(stages: dict[str, Any], says: str) -> None:
    if not says:
        assert surveys_faults("s", {"stages": stages})
        return
    _, faults = read({"stages": stages})
    assert faults == [says]


def test_returns() -> None:
    table = {"answer_within": "24h", "instructions": {"en": "14 days."}, "reasons": ["damaged", "other"]}
    assert returns_faults("r", table) == []
    found = read_returns(merge([("defaults", {"returns": table}), ("clients.c", {"returns": {"enabled": False}})]))
    assert (found.answer_within, found.enabled, found.reasons) == (timedelta(days=1), False, ("damaged", "other"))
    assert read_returns(merge([])) == Returns()
    assert returns_faults("r", {"reasons": ["damagd"]})[0].startswith("r.reasons: no such word 'damagd'")
    assert returns_faults("r", {"wish": []})[0].startswith("r.wish: unknown key")
    assert returns_faults("r", 3) == ["r: should be a table"]
