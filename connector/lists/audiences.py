"""An audience for an advertising platform: who is in it, who has to go, and the record of it.

What is written is what the platform will hold. It is kept who that is, as digests, so that the next export can say who
has to go: whoever left the segment, took their consent back, was blocked or was forgotten (GDPR Art. 19).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from connector.app import Kiitos
from connector.config import ShopSettings
from connector.config.growth import GROUNDS
from connector.errors import ConfigError, near
from connector.model import Channel, ConsentState, Customer, Purpose
from connector.store import audiences, consents, entities, privacy, standings, suppressions
from connector.store.audiences import Audience, Export, Member
from connector.store.db import Tx
from flows.goods.suggestions import objection
from flows.people.audiences import FORMS, Form, write_csv

PAGE = 500
KEPT = timedelta(days=90)
"""How long a digest of somebody who had to go is kept for a late `--removed-since`."""
_BLOCKING = frozenset({"all", str(Purpose.MARKETING)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What an export came to. `file` and `removed_file` are the texts to write; `left_out` counts by reason."""

    file: str
    removed_file: str
    people: int
    removed: int
    left_out: dict[str, int]


def take(
    kiitos: Kiitos, settings: ShopSettings, audience: Audience, by_whom: str, removed_since: datetime | None
) -> Taken:
    """Work the audience out, keep who is in it, and write the line of the record: all in one transaction.

    Raises `ConfigError` where the shop states no ground, or knows no such segment or platform.
    """
    form = _form(kiitos, settings, audience)
    now = kiitos.clock.now()
    with kiitos.store.work.transaction() as tx:
        audiences.forget_gone(tx, settings.shop.id, now - KEPT)
        left_out: Counter[str] = Counter()
        found: dict[str, Member] = {}
        for name in _names(tx, audience):
            member, why = _judge(tx, kiitos, settings, form, name)
            if member is None:
                left_out[why] += 1
            else:
                found[member.member] = member
        before = audiences.members(tx, audience, now)
        leaving = [each.member for each in before if each.gone_at is None and each.member not in found]
        audiences.put(tx, audience, found.values(), now)
        audiences.gone(tx, audience, leaving, now)
        since = removed_since if removed_since is not None else now
        told = [each for each in audiences.members(tx, audience, since) if each.gone_at is not None]
        audiences.put_export(
            tx,
            Export(
                shop_id=settings.shop.id,
                export_id=kiitos.clock.new_id(),
                at=now,
                platform=audience.platform,
                segment=audience.segment,
                by_whom=by_whom,
                ground=_ground(settings),
                people=len(found),
                removed=len(told),
                left_out=dict(left_out),
            ),
        )
    return Taken(
        file=write_csv(form, ((each.member, each.phone) for each in found.values())),
        removed_file=write_csv(form, ((each.member, each.phone) for each in told)),
        people=len(found),
        removed=len(told),
        left_out=dict(left_out),
    )


def _form(kiitos: Kiitos, settings: ShopSettings, audience: Audience) -> Form:
    if audience.platform not in FORMS:
        known = ", ".join(sorted(FORMS))
        raise ConfigError(f"no platform '{audience.platform}'{near(audience.platform, FORMS)}; {known}", where="--for")
    segments = {segment.name for segment in kiitos.catalog.segments(settings.shop.id)}
    if audience.segment not in segments:
        raise ConfigError(
            f"shop '{settings.shop.id}' has no segment '{audience.segment}'{near(audience.segment, segments)}",
            where="--segment",
        )
    if settings.growth.audience_ground not in GROUNDS:
        raise ConfigError(
            "say on which ground people are handed to advertising platforms: audiences = { ground = "
            '"consent" } for those who said yes to it, or { ground = "stated", statement = "..." }',
            where=f"{settings.shop.id}.audiences",
        )
    if settings.growth.audience_ground == "stated" and not settings.growth.audience_statement.strip():
        raise ConfigError('ground = "stated" needs a statement: the words of your privacy notice', where="audiences")
    return FORMS[audience.platform]


def _ground(settings: ShopSettings) -> str:
    growth = settings.growth
    return f"stated: {growth.audience_statement}" if growth.audience_ground == "stated" else "consent"


def _names(tx: Tx, audience: Audience) -> Iterator[str]:
    after = ""
    while page := standings.members(tx, audience.shop_id, audience.segment, after, PAGE):
        yield from (member.name for member in page)
        after = page[-1].name


def _judge(tx: Tx, kiitos: Kiitos, settings: ShopSettings, form: Form, name: str) -> tuple[Member | None, str]:
    """Somebody of the segment as the platform wants them, or why not."""
    shop_id = settings.shop.id
    if "@" not in name:
        return None, "no address"
    keys = (privacy.key_of(kiitos.salt, shop_id, "email", name),)
    if privacy.erased_at(tx, shop_id, keys) is not None:
        return None, "forgotten"
    if any(row.scope in _BLOCKING for row in suppressions.find(tx, shop_id, name, Channel.EMAIL)):
        return None, "suppressed"
    account = entities.customer_by_email(tx, shop_id, name)
    customer_id = account.id if account is not None else None
    state, _ = consents.state(tx, shop_id, name, Channel.EMAIL, Purpose.MARKETING, customer_id)
    if state is not ConsentState.GRANTED:
        return None, "no consent to marketing"
    if objection(tx, shop_id, name, account):
        return None, "no profiling"
    if settings.growth.audience_ground == "consent" and not _agreed(account, settings):
        return None, "no consent to advertising platforms"
    address, phone = form.member(name, account.phone if account is not None else None)
    return Member(member=address, phone=phone, name=name), ""


def _agreed(account: Customer | None, settings: ShopSettings) -> bool:
    wanted = settings.growth.audience_tag.lower()
    return account is not None and wanted in {tag.lower() for tag in account.tags or ()}
