"""`channel = "platform"`: order messages in the shop's own mail, where its platform has one, once whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from connector.app import build
from connector.clock import ManualClock
from connector.config import parse_config
from connector.contracts import Access, NotesCustomers
from connector.errors import AuthExpired, ConfigError, Refused, Transient
from connector.explaining.explain import explain
from connector.model import Channel, Effect, EffectStatus, ShopStatus
from connector.store import effects, runs, shops, suppressions
from connector.store.store import Store
from connector.testing.demo.scenario import JAM, LIISA, MONDAY
from connector.testing.fakes.people import AINO, MUG
from connector.testing.world import SHOPIFY, WOO, World, document
from connector.worker import Worker
from tests.journeys.bare import ENVIRON
from tests.journeys.conftest import Worlds

FLOW = """
id = "own-mail"
trigger = "order.paid"
purpose = "transactional"
subject = "order"

[[steps]]
id = "tell"
do = "send"
template = "order_confirmation"
{channels}
"""
PREFERRED = FLOW.format(channels='channels = ["platform", "email"]')
ONLY = FLOW.format(channels='channel = "platform"')


class Crash(BaseException):
    """The process is gone after the call and before anybody wrote down that it was made."""


@pytest.fixture
def world(worlds: Worlds, tmp_path: Path) -> World:
    return start(worlds, tmp_path)


def start(worlds: Worlds, folder: Path, flow: str = PREFERRED, **more: Any) -> World:
    file = folder / "own_mail.toml"
    file.write_text(flow, "utf-8")
    return worlds(flows={"own-mail": {"file": str(file)}}, **more)


def order(world: World) -> str:
    return str(world.woo.place_order([(JAM, 1)], LIISA)["id"])


def notes(world: World, order_id: str) -> list[str]:
    """What the shop mailed to the customer."""
    return [note["note"] for note in world.woo.notes[int(order_id)] if note["customer_note"]]


def effect_of(world: World, shop_id: str, order_id: str) -> Effect:
    with world.kiitos.store.work.read() as tx:
        (found,) = effects.of_order(tx, shop_id, order_id)
    return found


def adapter(world: World) -> NotesCustomers:
    found = world.kiitos.registry.platform("woocommerce")
    assert isinstance(found, NotesCustomers)
    return found


def journal(world: World, shop_id: str, effect: Effect) -> Mapping[str, Mapping[str, str]]:
    with world.kiitos.store.work.read() as tx:
        return {row.what: row.detail for row in runs.journal_of(tx, shop_id, effect.run_id)}


def test_the_shop_mails_our_words_and_we_mail_nothing(world: World) -> None:
    order_id = order(world)
    world.wait(hours=1)
    (note,) = notes(world, order_id)
    number = world.woo.orders[int(order_id)]["number"]
    assert f"{number}" in note
    assert "Metsäkauppa" in note
    assert "<" not in note
    assert "MIME" not in note
    effect = effect_of(world, WOO, order_id)
    assert (effect.status, effect.channel) == (EffectStatus.SENT, "platform")
    assert world.sink.messages == []
    story = explain(world.kiitos.store, WOO, number)
    assert story is not None
    assert any("platform" in f"{line.text} {line.detail}" for line in story.lines)


def test_a_shop_whose_platform_has_no_such_mail_is_written_to_by_us(world: World) -> None:
    order_id = str(world.shopify.place_order([(MUG, 1)], AINO)["id"])
    world.wait(hours=1)
    effect = effect_of(world, SHOPIFY, order_id)
    assert (effect.status, effect.channel) == (EffectStatus.SENT, "email")
    assert [each.recipients for each in world.sink.messages] == [(AINO.email,)]
    assert journal(world, SHOPIFY, effect)["channel"] == {"chosen": "email", "platform": "no_channel"}


@pytest.mark.parametrize("reason", ["hard_bounce", "complaint"])
def test_what_is_known_of_the_mailbox_holds_for_the_shops_mail_too(world: World, reason: str) -> None:
    with world.kiitos.store.work.transaction() as tx:
        suppressions.add(tx, WOO, LIISA.email, Channel.EMAIL, "all", reason, world.clock.now())
    order_id = order(world)
    world.wait(hours=1)
    assert notes(world, order_id) == []
    effect = effect_of(world, WOO, order_id)
    # The law's confirmation goes past a complaint, as mail of our own that says it in full.
    assert effect.status is (EffectStatus.SENT if reason == "complaint" else EffectStatus.SKIPPED)
    assert effect.channel == "email"


Fails = Callable[[int], BaseException | None]


def disturb(world: World, monkeypatch: pytest.MonkeyPatch, fails: Fails, *, looks: bool = True) -> list[str]:
    """The note is written, and then `fails(number of the call)` is raised. Without `looks` it does not look first."""
    found, calls = adapter(world), []
    real = found.note_customer

    def disturbed(access: Access, order_id: str, note: str, *, key: str) -> None:
        calls.append(key)
        real(access, order_id, note if looks else f"{note} {len(calls)}", key=key)
        if (error := fails(len(calls))) is not None:
            raise error

    monkeypatch.setattr(found, "note_customer", disturbed, raising=False)
    return calls


@pytest.mark.parametrize("looks", [True, False], ids=["looks first", "control: does not look"])
def test_no_answer_after_the_shop_had_it(world: World, monkeypatch: pytest.MonkeyPatch, looks: bool) -> None:
    silent: Fails = lambda call: Transient("no answer", maybe_done=True) if call <= 2 else None  # noqa: E731
    calls = disturb(world, monkeypatch, silent, looks=looks)
    order_id = order(world)
    world.wait(hours=1)
    assert len(calls) == 3, "each time the shop was asked, and had it"
    assert len(set(calls)) == 1
    assert effect_of(world, WOO, order_id).status is EffectStatus.SENT
    assert len(notes(world, order_id)) == (1 if looks else 3)
    assert world.sink.messages == [], "what may have left by the shop is never sent by us as well"


def test_a_worker_that_dies_after_the_call(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = disturb(world, monkeypatch, lambda call: Crash() if call == 1 else None)
    order_id = order(world)
    with pytest.raises(Crash):
        world.deliver()
    world.worker = Worker(world.kiitos)
    world.wait(hours=1)
    assert len(calls) == 2
    assert len(notes(world, order_id)) == 1
    assert effect_of(world, WOO, order_id).status is EffectStatus.SENT


def test_a_shop_that_refuses_our_key_is_disconnected_and_nothing_is_dropped(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, refusing = adapter(world), [True]
    real = found.note_customer

    def closed(access: Access, order_id: str, note: str, *, key: str) -> None:
        if refusing:
            raise AuthExpired("the key was deleted")
        real(access, order_id, note, key=key)

    monkeypatch.setattr(found, "note_customer", closed, raising=False)
    order_id = order(world)
    world.wait(minutes=5)
    with world.kiitos.store.work.read() as tx:
        stored = shops.get(tx, WOO)
    assert stored is not None
    assert stored.status is ShopStatus.DISCONNECTED
    assert effect_of(world, WOO, order_id).status is EffectStatus.PENDING
    refusing.clear()
    world.wait(hours=2)
    assert len(notes(world, order_id)) == 1


def test_what_the_shop_refuses_is_failed_with_its_word(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = disturb(world, monkeypatch, lambda _: Refused("no such order", provider_code="invalid_id"))
    order_id = order(world)
    world.wait(hours=1)
    effect = effect_of(world, WOO, order_id)
    assert (effect.status, effect.reason) == (EffectStatus.FAILED, "invalid_id: no such order")
    assert len(calls) == 1


# -- what is refused when flows are loaded -------------------------------------------------------------------------


def fault(folder: Path, flow: str, shop: str = "metsa") -> str:
    (folder / "f.toml").write_text(flow, "utf-8")
    found = document(flows={})
    found["app"]["base_url"] = "http://localhost"
    found["clients"]["demo"]["shops"][shop]["flows"] = {"f": {"file": "f.toml"}}
    config = parse_config(found, folder / "app.toml", ENVIRON)
    store = Store.open("sqlite://:memory:")
    try:
        build(config, clock=ManualClock(MONDAY), store=store)
    except ConfigError as error:
        return error.message
    finally:
        store.close()
    return ""


def test_a_platform_without_such_mail_says_so(tmp_path: Path) -> None:
    said = fault(tmp_path, ONLY, "aurora")
    for word in ("f.toml: steps.tell:", "shop 'demo-aurora'", "shopify has no note to customers", "NotesCustomers"):
        assert word in said, word
    assert 'channels = ["platform", "email"]' in said, "and what would work"
    assert fault(tmp_path, ONLY, "metsa") == ""
    assert fault(tmp_path, PREFERRED, "aurora") == ""


@pytest.mark.parametrize("purpose", ["review", "marketing"])
def test_advertising_never_goes_that_way(tmp_path: Path, purpose: str) -> None:
    said = fault(tmp_path, ONLY.replace("transactional", purpose))
    assert f"no unsubscribe link: only for messages of purpose transactional, this one is {purpose}" in said
    own = ONLY.replace('do = "send"', f'do = "send"\npurpose = "{purpose}"')
    assert f"this one is {purpose}" in fault(tmp_path, own), "the step's own purpose counts"


def test_a_misspelt_channel_and_a_wrong_recipient_are_named(tmp_path: Path) -> None:
    assert "did you mean 'platform'?" in fault(tmp_path, ONLY.replace('"platform"', '"plattform"'))
    advocate = ONLY.replace('do = "send"', 'do = "send"\nto = "advocate"')
    assert "never the advocate" in fault(tmp_path, advocate)
