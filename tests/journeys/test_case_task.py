"""A new case is somebody's task, and closes with the case: settled on its page, or by the shop."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.testing.fakes.shopify import FakeUnavailable
from connector.testing.world import SHOPIFY, World
from flows.care import tasks
from flows.care.tasks import OpenTask
from tests.journeys.test_case import KAISA, SETTINGS, START, asks, desk, state
from tests.pages.life import client, links_of, mails, order_arrives


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    try:
        with World(tmp_path, START, settings=SETTINGS, unchecked=True) as made:
            yield made
    except FakeUnavailable as reason:
        pytest.skip(str(reason))


def left(world: World) -> list[OpenTask]:
    with world.kiitos.store.work.read() as tx:
        return tasks.open_tasks(tx, world.kiitos.runner, SHOPIFY)


def test_a_task_closes_with_its_case_and_with_no_other(world: World) -> None:
    order = order_arrives(world)
    first = asks(world)
    (task,) = left(world)
    assert first in task.text
    (mail,) = mails(world, KAISA)
    kinds = {url.split("/")[4] for url in links_of(mail) if "/p/" in url}
    assert {"desk", "task"} <= kinds, "the case's page, and the task's"
    client(world).post(desk(world), data={"action": "accept"})
    world.deliver()
    assert len(left(world)) == 1, "an approved return is still to be settled"
    second = asks(world, kind="complaint", text="And the other is broken")
    assert len(left(world)) == 2
    client(world).post(desk(world), data={"action": "refuse", "text": "No."})
    world.deliver()
    assert state(world, first) == "refused"
    (other,) = left(world)
    assert second in other.text, "the other case of the order is still open"
    third = asks(world, reason="late")
    assert len(left(world)) == 2
    world.shopify.refund(order)
    world.deliver(duplicate=True)
    assert (state(world, third), state(world, second)) == ("refunded", "received")
    (kept,) = left(world)
    assert second in kept.text
    told = len(mails(world, KAISA))
    world.wait(days=4)
    assert len(mails(world, KAISA)) == told + 1, "of the one that nobody saw to they are told again"
    assert left(world) == []
