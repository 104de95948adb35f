"""When tokens end is known, told before it comes, and told although renewing them is tried and put off every hour."""

from __future__ import annotations

import email
import email.policy
from datetime import datetime, timedelta
from typing import Any

import pytest

from connector.app import Kiitos
from connector.errors import Transient
from connector.store import renewals, shops
from connector.store.renewals import RenewalState
from connector.testing.world import SHOPIFY
from connector.watching.alerting import Alerting
from connector.watching.doctor import examine_running
from connector.watching.figures import look
from connector.watching.gauges import MOST, families, names
from connector.watching.trouble import Level, Trouble
from connector.worker import Worker
from tests.tokens.conftest import House

ALERTS = {"mail": "ops@agency.example", "sender": "Kiitos <kiitos@agency.example>", "wait": "0s"}
REFRESH = timedelta(days=90)


def state(app: Kiitos) -> RenewalState | None:
    with app.store.work.read() as tx:
        return renewals.get(tx, SHOPIFY)


def ends(app: Kiitos) -> tuple[datetime | None, datetime | None]:
    found = state(app)
    assert found is not None
    return found.lapses_at, found.ends_at


def told(app: Kiitos) -> list[Trouble]:
    return [one for one in examine_running(app, slow=False) if one.check == "token_expiry"]


def seconds(app: Kiitos) -> dict[tuple[str, str], float]:
    """The metric, by shop and token."""
    family = names(families(look(app.store, app.clock.now())))["kiitos_token_expiry_seconds"]
    return {(sample.labels["shop"], sample.labels["token"]): sample.value for sample in family.samples}


def mailed(house: House) -> str:
    """The plain text of all mails."""
    parsed = [email.message_from_bytes(m.content, policy=email.policy.default) for m in house.channel.messages]
    bodies = [mail.get_body(("plain",)) for mail in parsed]
    return "".join(str(body.get_content()) for body in bodies if body is not None)


def test_both_ends_are_known_from_the_first_day_and_after_each_renewal(house: House) -> None:
    app = house.app()
    house.connect(app)
    start = house.clock.now()
    assert ends(app) == (start + timedelta(hours=1), start + REFRESH)
    house.clock.advance(timedelta(days=3))
    assert seconds(app) == {(SHOPIFY, "access"): 3600 - 3 * 86400, (SHOPIFY, "refresh"): 87 * 86400}
    house.ask(app)
    assert ends(app) == (house.clock.now() + timedelta(hours=1), house.clock.now() + REFRESH)


def test_a_token_without_a_refresh_token_has_one_end(house: House) -> None:
    app = house.app()
    house.ask(app)
    assert seconds(app) == {(SHOPIFY, "access"): 86_399}  # what Shopify says of a day


def test_what_never_lapses_has_none(house: House) -> None:
    app = house.app()
    house.connect(app)
    with app.store.work.transaction() as tx:
        shops.put_secret(tx, app.vault, SHOPIFY, "access_token", house.shopify.issue_token(), house.clock.now())
    house.until(Worker(app), days=8)
    assert ends(app) == (None, None)
    assert seconds(app) == {}


def test_it_is_learnt_of_credentials_that_an_older_version_stored(house: House) -> None:
    app = house.app()
    house.connect(app)
    known = ends(app)
    with app.store.work.transaction() as tx:
        tx.script("UPDATE renewals SET lapses_at = NULL, ends_at = NULL")
    house.until(Worker(app), minutes=1)
    assert (ends(app), house.refreshes()) == (known, 0)


@pytest.mark.parametrize(("days", "level"), [(59, None), (61, Level.WARN), (84, Level.FAIL)])
def test_the_operator_hears_before_it_comes(
    house: House, monkeypatch: pytest.MonkeyPatch, days: int, level: Level | None
) -> None:
    """The platform has no time for us: the next renewal is always an hour away, and its own figure tells nothing."""
    house.settings_of_file["app"]["alerts"] = ALERTS
    app = house.app()
    house.connect(app)
    platform: Any = app.registry.platform("shopify")

    def busy(_access: object) -> Any:
        raise Transient("503")

    monkeypatch.setattr(platform, "renew", busy)
    house.clock.advance(timedelta(days=days, hours=-3))
    house.until(Worker(app), hours=3)
    found = state(app)
    assert found is not None
    assert found.keep_at is not None
    assert found.keep_at > house.clock.now()
    assert [one.level for one in told(app)] == ([level] if level else [])
    Alerting(app).work()
    assert ("the refresh token lapses in" in mailed(house)) == (level is not None)
    monkeypatch.undo()
    house.ask(app)
    assert told(app) == []


def test_what_lapsed_while_nobody_looked_is_told(house: House) -> None:
    app = house.app()
    house.connect(app)
    house.clock.advance(timedelta(days=92))
    (found,) = told(app)
    assert (found.level, found.what) == (Level.FAIL, "the refresh token lapsed 2 days ago")
    assert seconds(app)[SHOPIFY, "refresh"] == -2 * 86400


def test_a_shop_that_is_kept_alive_is_never_told_of(house: House) -> None:
    app = house.app()
    house.connect(app)
    worker = Worker(app)
    for _ in range(15):
        house.until(worker, days=6)
        assert told(app) == []
        assert seconds(app)[SHOPIFY, "refresh"] > 80 * 86400


def test_lapsed_access_tokens_of_many_shops_hide_no_refresh_token(house: House) -> None:
    app = house.app()
    now = house.clock.now()
    with app.store.work.transaction() as tx:
        for number in range(MOST + 10):
            ends_at = now + timedelta(days=number + 1)
            renewals.told(tx, f"shop-{number}", None, now - timedelta(days=number), ends_at)
    found = seconds(app)
    assert [sum(token == kind for _, token in found) for kind in ("access", "refresh")] == [MOST, MOST]
    assert found["shop-0", "refresh"] == 86400
