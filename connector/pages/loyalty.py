"""A customer's points: what can be used, what is pending and lapses, tier, badges, challenges, history; and exchanging
points for a code. Behind the token of a message that reached the address it is about.

GET shows. POST exchanges points under the key that the form was shown with, so that a double click is one exchange, or
has an unused code taken back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from babel.dates import format_date
from babel.numbers import format_currency, format_decimal
from flask import redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from connector.config.loyalty import Programme
from connector.config.perks import Perk
from connector.config.rewards import Reward
from connector.contracts import FREE_DELIVERY
from connector.model import Shop
from connector.pages.frame import application, find_link, gone, language_of, page, strings, transact
from connector.store import accounts, entities, perks, preferences, shops
from connector.store.accounts import Holder
from connector.store.db import Tx
from flows.limits.daytime import zone_of
from flows.sending.addressing import derive_token
from flows.value import access, exchanging, showing
from flows.value.exchanging import Claim
from flows.value.showing import Account, Line

KIND = "loyalty"
"""Of the links that lead here."""
_DONE = ("done", "short", "back", "late")


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Whose page it is. `holder` is false for somebody who owns nothing yet."""

    shop: Shop
    programme: Programme
    address: str
    locale: str
    holder: Holder

    @property
    def rewards(self) -> dict[str, Reward]:
        return {reward.name: reward for reward in self.programme.rewards}


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A reward as the page shows it. `key` makes its exchange happen once."""

    name: str
    title: str
    cost: str
    missing: str
    minimum: str
    until: str
    key: str


def show(token: str) -> BaseResponse:
    with application().store.work.read() as tx:
        member = _member(tx, token)
        return gone() if member is None else _page(tx, member)


def act(token: str) -> BaseResponse:
    # Read before the transaction: a body that arrives slowly must not hold the write lock.
    form = {name: value[:200] for name, value in request.form.items()}

    def take(tx: Tx) -> str | None:
        member = _member(tx, token)
        if member is None:
            return None
        return _back(tx, member, form) if "back" in form else _exchange(tx, member, form)

    said = transact(take)
    if said is None:
        return gone()
    address = url_for("pages.loyalty", token=token)
    return redirect(f"{address}?{said}=1" if said else address, 303)


def _member(tx: Tx, token: str) -> Member | None:
    link, catalog = find_link(tx, token, KIND), application().runner.catalog
    shop = shops.get(tx, link.shop_id) if link is not None else None
    if link is None or shop is None or not catalog.knows(shop.id) or not catalog.settings(shop.id).loyalty:
        return None
    address = link.data["address"]
    customer = entities.customer_by_email(tx, shop.id, address)
    chosen = preferences.get(tx, shop.id, address)
    return Member(
        shop=shop,
        programme=catalog.settings(shop.id).loyalty,
        address=address,
        locale=language_of(chosen.locale, link.data.get("locale"), shop.locale),
        holder=accounts.find(tx, shop.id, customer.id if customer else None, address),
    )


# -- what can be done --------------------------------------------------------------------------------------------------


def _hold(tx: Tx, member: Member, now: datetime) -> Holder:
    """Held, so that two requests cannot use the same points."""
    holder = member.holder
    return accounts.open_for(tx, member.shop.id, holder.customer_id, member.address, holder.account, now)


def _exchange(tx: Tx, member: Member, form: dict[str, str]) -> str:
    reward, app = member.rewards.get(form.get("reward", "")), application()
    if reward is None:
        return ""
    if not member.holder:
        return "short"
    now = app.clock.now()
    holder, key = _hold(tx, member, now), form.get("key", "")
    done = exchanging.claim(tx, member.shop, holder, member.address, reward, key, app.salt, now)
    return "done" if done else "short"


def _back(tx: Tx, member: Member, form: dict[str, str]) -> str:
    if not member.holder:
        return ""
    now = application().clock.now()
    claims = exchanging.claims_of(tx, member.shop.id, _hold(tx, member, now), member.rewards, now)
    found = next((each for each in claims if each.id == form["back"]), None)
    if found is None:
        return ""
    if found.state in (exchanging.RETURNING, exchanging.BACK):
        return "back"  # asked before: a reload is no other wish
    return "back" if exchanging.exchange_back(tx, member.shop.id, found, now) else "late"


# -- what is shown -----------------------------------------------------------------------------------------------------


def _page(tx: Tx, member: Member) -> BaseResponse:
    now = application().clock.now()
    account = showing.account_of(tx, member.shop, member.programme, member.holder, now)
    claims = exchanging.claims_of(tx, member.shop.id, member.holder, member.rewards, now) if member.holder else []
    words = _Words(member)
    told = next((word for word in _DONE if word in request.args), "")
    let_in = _let_in(tx, member, now)
    return page(
        "loyalty.html",
        member.shop,
        member.locale,
        told=told,
        points=words.number(account.usable),
        pending=words.dated(account.opening),
        lapsing=words.dated(account.lapsing),
        level=account.level,
        amount=words.amount,
        number=words.number,
        contests=[(contest, words.day(contest.ends)) for contest in account.contests],
        badges=account.badges,
        early=[(perk, words.day(perk.over)) for perk in let_in if not perk.listed],
        given=_given(tx, member, let_in),
        offers=[_offer(member, reward, account, len(claims), words, now) for reward in member.programme.rewards],
        claims=[(each, *words.of_claim(each, now)) for each in claims[:20]],
        history=[words.line(tx, line) for line in account.history],
    )


def _let_in(tx: Tx, member: Member, now: datetime) -> list[Perk]:
    """The perks that are this person's now."""
    held = member.holder.accounts if member.holder else ()
    known = access.had(accounts.member(tx, member.shop.id, account).state for account in held)
    return [perk for perk in member.programme.perks if perk.name in known and perk.begins <= now < perk.over]


def _given(tx: Tx, member: Member, let_in: Iterable[Perk]) -> list[tuple[Perk, str]]:
    """Of lists that give one to each, what they were given; whoever came when none was left, nothing."""
    held = member.holder.accounts if member.holder else ()
    found = (
        (perk, next((code for each in held if (code := perks.of(tx, member.shop.id, perk.name, each))), ""))
        for perk in let_in
        if perk.listed
    )
    return [(perk, code) for perk, code in found if code]


def _offer(member: Member, reward: Reward, account: Account, before: int, words: _Words, now: datetime) -> Offer:
    short = max(Decimal(reward.points) - max(account.usable, Decimal(0)), Decimal(0))
    first = member.holder.account if member.holder else member.address
    key = derive_token(application().salt, "exchange form", member.shop.id, first, reward.name, str(before))
    return Offer(
        name=reward.name,
        title=reward.title or words.benefit(reward),
        cost=words.number(reward.points),
        missing=words.number(short) if short else "",
        minimum=words.money(reward.minimum.amount) if reward.minimum else "",
        until=words.day(now + reward.valid),
        key=key,
    )


class _Words:
    """Numbers, days and lines in the visitor's language, on the shop's calendar."""

    def __init__(self, member: Member) -> None:
        self._member = member
        self._texts = strings(member.locale)
        self._zone = zone_of(member.shop.timezone)

    def number(self, amount: Decimal | int) -> str:
        return str(format_decimal(amount, locale=self._member.locale))

    def money(self, amount: Decimal) -> str:
        return str(format_currency(amount, self._member.shop.currency, locale=self._member.locale))

    def amount(self, amount: Decimal, deed: str = "") -> str:
        """In the measure of the tiers, or of a deed of a challenge."""
        return (
            self.money(amount)
            if (deed or self._member.programme.measure) in ("spend", "spent")
            else self.number(amount)
        )

    def day(self, at: datetime | object) -> str:
        local = at.astimezone(self._zone) if isinstance(at, datetime) else at
        return str(format_date(local, "long", locale=self._member.locale))  # type: ignore[arg-type]

    def dated(self, amounts: object) -> list[tuple[str, str]]:
        return [(self.day(at), self.number(amount)) for at, amount in dict(amounts).items()]  # type: ignore[call-overload]

    def benefit(self, reward: Reward) -> str:
        if reward.free_delivery:
            return self._texts["loyalty.free_delivery"]
        if reward.percent is not None:
            return self._texts["loyalty.off"].format(value=f"{self.number(reward.percent)} %")
        return self._texts["loyalty.off"].format(value=self.money(reward.amount.amount) if reward.amount else "")

    def of_claim(self, claim: Claim, now: datetime) -> tuple[str, str, str]:
        """What it is called, until when it is good, until when it can go back."""
        reward = self._member.rewards.get(claim.reward)
        shown = self._texts["loyalty.free_delivery"] if claim.worth == FREE_DELIVERY else claim.worth
        title = (reward.title or self.benefit(reward)) if reward is not None else shown
        good = self.day(claim.expires_at) if claim.expires_at and claim.state == exchanging.READY else ""
        back = claim.state == exchanging.READY and claim.back_until is not None and now < claim.back_until
        return title, good, self.day(claim.back_until) if back else ""

    def line(self, tx: Tx, line: Line) -> tuple[str, str, str]:
        """Day, what, and the points with their sign."""
        cause = self._cause(tx, line.cause)
        what = cause if line.what in ("earned", "spent") else self._texts[f"loyalty.was.{line.what}"].format(what=cause)
        sign = "+" if line.amount > 0 else "−"
        return self.day(line.at), what, f"{sign}{self.number(abs(line.amount))}"

    def _cause(self, tx: Tx, cause: str) -> str:
        kind, _, name = cause.partition("/")
        find: dict[str, Callable[[], str]] = {
            "order": lambda: self._order(tx, name),
            "challenge": lambda: self._challenge(name),
            "exchange": lambda: self._reward(name.partition("/")[0]),
        }
        key = f"loyalty.cause.{kind}"
        return self._texts[key if key in self._texts else "loyalty.cause.other"].format(
            name=find[kind]() if kind in find else ""
        )

    def _order(self, tx: Tx, order_id: str) -> str:
        order = entities.order(tx, self._member.shop.id, order_id)
        return order.number if order is not None else order_id

    def _challenge(self, name: str) -> str:
        return next((goal.title for goal in self._member.programme.challenges if goal.name == name), name)

    def _reward(self, name: str) -> str:
        reward = self._member.rewards.get(name)
        return name if reward is None else reward.title or self.benefit(reward)
