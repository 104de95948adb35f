"""Many claims at one moment make one reward; the order in which a shop tells of an order makes no difference."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.errors import StoreCollision
from connector.model import Event
from connector.store import Store, referrals
from flows.referring.queue import decide
from flows.runner import RunMoved
from tests.store.referred import TERMS, Referred, Somebody, cancelling, forget_all, of_order, refunding
from tests.store.trade import SHOP, START

CODE = "FRIEND-AINO"
AT_ONCE = 10
CLAIMS = 50
BUSY = ("locked", "deadlock", "could not serialize")


def again(gate: threading.Barrier, number: int, work: object) -> object:
    """Run `work` as a worker would: once more when the database was busy. The first ones begin together."""
    if number < AT_ONCE:
        gate.wait(120)
    for _ in range(100):
        try:
            return work()  # type: ignore[operator]
        except (RunMoved, StoreCollision):
            continue
        except Exception as error:
            if not any(word in str(error).lower() for word in BUSY):
                raise
    raise AssertionError("the database was never free")


def test_50_claims_of_one_friend_at_once_make_one_referral(store: Store, tmp_path: Path) -> None:
    life = Referred(store, tmp_path, {**TERMS, "first_order": False, "rules": {"velocity": "off"}})
    life.advocate()
    orders = [life.made(Somebody(email=f"eero.laine+{number}@example.com"), CODE) for number in range(CLAIMS)]
    gate = threading.Barrier(AT_ONCE)

    def claim(number: int) -> object:
        return again(gate, number, lambda: life.take_in(*life.paid(orders[number])))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(claim, range(CLAIMS)))
    found = Counter((row.state, row.reason) for each in orders if (row := life.of(each)) is not None)
    assert found == {("held", ""): 1, ("refused", "second_referral"): CLAIMS - 1}
    assert life.points() == (0, 100)
    life.live(timedelta(days=20))
    assert life.points() == (100, 0)


def test_the_limit_of_the_month_holds_for_claims_at_once(store: Store, tmp_path: Path) -> None:
    terms = {**TERMS, "caps": {"rewards": 3, "over": "refuse"}, "rules": {"velocity": "off"}}
    life = Referred(store, tmp_path, terms)
    life.advocate()
    letters = "abcdefghijklmnopqrst"
    people = [Somebody(first=f"Nimi{a}", last=a * 6, email=f"{a * 9}@example.com", street=f"Tie {n}") for n, a in enumerate(letters)]  # fmt: skip # noqa: E501
    orders = [life.made(who, CODE) for who in people]
    gate = threading.Barrier(AT_ONCE)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda n: again(gate, n, lambda: life.take_in(*life.paid(orders[n]))), range(len(orders))))
    assert Counter(life.state(each) for each in orders) == {"held": 3, "refused": len(orders) - 3}


def test_50_answers_at_once_decide_once(store: Store, tmp_path: Path) -> None:
    life = Referred(store, tmp_path)
    life.advocate()
    made = life.buys(Somebody(email="x@mailinator.com"), CODE)
    row = life.of(made)
    assert row is not None
    assert row.state == "review"
    gate, runner, now = threading.Barrier(AT_ONCE), life.kiitos.runner, life.clock.now()

    def answer(number: int) -> object:
        def work() -> bool:
            with store.work.transaction() as tx:
                return decide(tx, runner, SHOP, row.id, now, approve=number % 2 == 0, by=f"p{number}")

        return again(gate, number, work)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        said = list(pool.map(answer, range(CLAIMS)))
    assert said.count(True) == 1
    decided = life.of(made)
    assert decided is not None
    assert decided.decided_by == f"p{said.index(True)}"
    assert decided.state == ("held" if said.index(True) % 2 == 0 else "refused")


def test_without_the_friends_row_two_at_once_would_both_be_first(tmp_path: Path) -> None:
    """Planted: who looks first and writes then is wrong, and these tests would see it."""
    with closing(Store.open(f"sqlite:///{tmp_path}/kiitos.db")) as store:
        met, counted = threading.Barrier(2), []

        def careless(number: int) -> None:
            with store.work.read() as tx:
                known = referrals.of_friend(tx, SHOP, "friend")
            met.wait(120)
            if not known:
                counted.append(number)

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(careless, range(2)))
        assert len(counted) == 2
        with store.work.transaction() as tx:
            assert [referrals.take_friend(tx, SHOP, "friend", each) for each in ("a", "b", "a")] == [True, False, True]


# -- the order of news -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    Store.open(f"sqlite:///{folder}/kiitos.db").close()
    return folder


def lived(base: Path, news: list[str]) -> tuple[str, tuple[int, int], str]:
    """What a story comes to, told in this order: the friend's state, the advocate's points, the earlier order's."""
    import shutil

    folder = Path(mkdtemp(dir=base.parent))
    shutil.copytree(base, folder / "db")
    with closing(Store.open(f"sqlite:///{folder}/db/kiitos.db")) as store:
        return lived_in(store, folder, news)


def lived_in(store: Store, folder: Path, news: list[str]) -> tuple[str, tuple[int, int], str]:
    life = Referred(store, folder)
    life.advocate()
    life.clock.advance(timedelta(hours=1))
    first = life.made(Somebody(), "")
    made = life.made(Somebody(), CODE)
    made = replace(made, placed_at=made.placed_at + timedelta(minutes=5), updated_at=made.updated_at + MINUTES)
    at = life.clock.now() + timedelta(minutes=10)
    told: dict[str, list[Event]] = {
        "paid": life.paid(made),
        "earlier": life.paid(first),
        "part": refunding(made, "10.00", at),
        "all": refunding(made, made.total.amount.to_eng_string(), at),
        "cancelled": [cancelling(made, at)],
        "updated": [of_order(replace(made, updated_at=made.updated_at + timedelta(seconds=1)), "order.updated")],
    }
    for each in news:
        life.take_in(*told[each])
    life.live(life.clock.now() - START + timedelta(days=40))
    return life.state(made), life.points(), life.state(first)


MINUTES = timedelta(minutes=5)
STORIES = (("paid", "updated"), ("paid", "part"), ("paid", "all"), ("paid", "cancelled", "all"), ("paid", "earlier"))
ENDS = ("rewarded", "reversed", "reversed", "reversed", "refused")


@pytest.mark.parametrize(("story", "end"), list(zip(STORIES, ENDS, strict=True)), ids="-".join)
def test_told_in_any_order_and_twice_it_comes_to_the_same(base: Path, story: tuple[str, ...], end: str) -> None:
    state, points, _ = lived(base, list(story))
    assert state == end
    assert points == ((100, 0) if end == "rewarded" else (0, 0))

    @settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(st.permutations([*story, *story]))
    def any_order(news: list[str]) -> None:
        told = lived(base, news)
        assert told[:2] == (state, points), news

    any_order()


@pytest.mark.postgres
@pytest.mark.parametrize(("story", "end"), list(zip(STORIES, ENDS, strict=True)), ids="-".join)
def test_postgres_tells_it_alike(schema_dsn: str, tmp_path: Path, story: tuple[str, ...], end: str) -> None:
    """The other way round, twice, and one after the other twice."""
    with closing(Store.open(schema_dsn)) as store:
        for number, news in enumerate(([*reversed(story), *story], [each for each in story for _ in range(2)])):
            folder = tmp_path / str(number)
            folder.mkdir()
            state, points, _ = lived_in(store, folder, list(news))
            assert (state, points) == (end, (100, 0) if end == "rewarded" else (0, 0)), news
            forget_all(store)
