"""A letter from an order to the print house's folder: to whom, in which language, and when not."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connector.model import Address, Channel, EffectStatus
from connector.rehearsal import VOCABULARY
from connector.store import suppressions
from connector.testing.world import WOO
from flows.channels.letters import Letters
from tests.journeys.office import Office, office
from tests.journeys.test_channels import MAIL, ORDERS

FLOW = ORDERS.replace('"sms", "email"', '"print", "email"').replace("order_confirmation", "loyalty_thanks")
FLOW = FLOW.replace('purpose = "transactional"', 'purpose = "loyalty"')
HOME = Address(
    first_name="Aino", last_name="Mäkinen", lines=("Esimerkkikatu 1",), postcode="00100", city="Helsinki", country="FI"
)


@contextmanager
def shop(folder: Path) -> Iterator[Office]:
    with office(folder, FLOW, print="texts", soft_opt_in=["loyalty"]) as life:
        life.kiitos.use_channel("texts", Letters.from_settings({"folder": str(folder / "out")}, life.clock))
        yield life


def order(life: Office, number: str = "1", **more: Any) -> None:
    events = VOCABULARY["order"](life.life, number, life.clock.now())
    known = [replace(event, order=replace(event.order, **more)) if event.order else event for event in events]
    with life.store.work.transaction() as tx:
        life.kiitos.runner.ingest(tx, WOO, known, life.clock.now())
    life.until(minutes=1)


def printed(folder: Path) -> list[dict[str, str]]:
    with (folder / "out" / "manifest.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_card_of_thanks_is_printed_for_the_buyer(tmp_path: Path) -> None:
    with shop(tmp_path) as life:
        order(life, billing_address=HOME, locale="fi-FI")
        (effect,) = life.effects().values()
    (line,) = printed(tmp_path)
    assert line["address"] == "Aino Mäkinen / Esimerkkikatu 1 / 00100 HELSINKI"
    assert line["template"] == "loyalty_thanks"
    assert (effect.status, effect.channel) == (EffectStatus.SENT, "print")
    assert effect.result["provider_id"] == line["file"]
    assert (tmp_path / "out" / line["file"]).read_bytes().startswith(b"%PDF-")
    assert life.mails.messages == []


def test_without_a_street_it_is_mailed(tmp_path: Path) -> None:
    nowhere = replace(HOME, lines=())
    with shop(tmp_path) as life:
        order(life, billing_address=nowhere, shipping_address=None)
        assert [each.recipient for each in life.mails.messages] == [MAIL]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("scope", ["all", "marketing"])
def test_who_wants_no_letters_gets_none(tmp_path: Path, scope: str) -> None:
    with shop(tmp_path) as life:
        with life.store.work.transaction() as tx:
            suppressions.add(tx, WOO, MAIL, Channel.PRINT, scope, "unsubscribe", life.clock.now())
        order(life, billing_address=HOME)
        assert [each.recipient for each in life.mails.messages] == [MAIL], "a no to letters is none to mail"
    assert not (tmp_path / "out").exists()
