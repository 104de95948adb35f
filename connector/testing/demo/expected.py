"""What the demo must have led to: who got which messages, and what exists in the shops afterwards.

`faults` returns what is wrong, in words; an empty list means the demo proved itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

from connector.model import EffectStatus, email_key
from connector.store import deliveries, effects, entities, referrals
from connector.testing.demo.scenario import AINO, ELSA, HILLA, ILONA, KENJI, LIISA, OMAR, PEKKA, VAINO
from connector.testing.fakes.people import Buyer
from connector.testing.world import SHOPIFY, WOO, World

_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_ASKED = ("review_request", "review_reminder")

MAILS: tuple[tuple[str, Buyer, tuple[str, ...]], ...] = (
    # Two orders and two parcels, one of them seen out for delivery; the other's "out" came after "delivered": no mail.
    (
        SHOPIFY,
        AINO,
        (
            *("order_confirmation",) * 2,
            *("shipment_shipped",) * 2,
            "shipment_out_for_delivery",
            *("shipment_delivered",) * 2,
            *("review_request", "review_thanks", "referral_invite", "referral_reward"),
        ),
    ),
    # Japan never reports a delivery: asked after the patience for abroad.
    (SHOPIFY, KENJI, ("order_confirmation", "shipment_shipped", *_ASKED, "referral_invite")),
    # Unsubscribed after the request: no reminder, no invitation, but everything about the order.
    (
        SHOPIFY,
        OMAR,
        ("order_confirmation", "shipment_shipped", "shipment_delayed", "shipment_delivered", "review_request"),
    ),
    (SHOPIFY, ELSA, ("order_confirmation",)),
    (SHOPIFY, VAINO, ("order_confirmation", "shipment_shipped", *_ASKED, "referral_invite")),
    (SHOPIFY, ILONA, ("order_confirmation", "shipment_shipped")),
    (WOO, LIISA, ("order_confirmation", "shipment_shipped", *_ASKED, "referral_invite", "review_thanks")),
    (WOO, PEKKA, ("order_confirmation", "shipment_shipped")),
    (WOO, HILLA, ("order_confirmation", "shipment_shipped", *_ASKED, "referral_invite")),
)


def faults(world: World) -> list[str]:
    """Everything that is not as it must be."""
    return [fault for check in CHECKS for fault in check(world)]


def _mails(world: World) -> list[str]:
    found = []
    for shop_id, buyer, wanted in MAILS:
        with world.kiitos.store.work.read() as tx:
            sent = effects.sent_to(tx, shop_id, email_key(buyer.email) or "", _BEGIN)
        got = Counter(str(effect.request.get("template")) for effect in sent if effect.kind == "message")
        missing, extra = Counter(wanted) - got, got - Counter(wanted)
        if missing or extra:
            found.append(f"{buyer.email}: missing {dict(missing)}, not expected {dict(extra)}")
    return found


def _once(world: World) -> list[str]:
    """The mail server saw each message once, and no more of them than there are."""
    ids = world.sink.by_message_id()
    wanted = sum(len(templates) for _, _, templates in MAILS)
    found = [f"{message_id} arrived {count} times" for message_id, count in ids.items() if count != 1]
    if len(ids) != wanted:
        found.append(f"{len(ids)} messages at the mail server instead of {wanted}")
    return found


def _settled(world: World) -> list[str]:
    """Nothing failed, nothing is unknown, every delivery was used or set aside with a reason."""
    with world.kiitos.store.work.read() as tx:
        counts = effects.counts(tx)
        failed = deliveries.failed(tx)
    found = [f"{counts[s]} effects are {s}" for s in (EffectStatus.FAILED, EffectStatus.UNCERTAIN) if counts.get(s)]
    return found + [f"delivery {row.delivery_id} failed: {row.error_text}" for row in failed]


def _guest(world: World) -> list[str]:
    """The guest without an address: nothing sent, and a reason kept."""
    guests = [str(row["id"]) for row in world.shopify.orders.values() if not row["email"]]
    with world.kiitos.store.work.read() as tx:
        rows = [effect for order_id in guests for effect in effects.of_order(tx, SHOPIFY, order_id)]
    if not rows or any(row.status is not EffectStatus.SKIPPED or "no_address" not in row.reason for row in rows):
        return [f"the guest's messages: {[(row.status.value, row.reason) for row in rows]}"]
    return []


def _referrals(world: World) -> list[str]:
    wanted = {VAINO.email: "rewarded", ILONA.email: "reversed", AINO.email: "refused"}
    found = []
    with world.kiitos.store.work.read() as tx:
        for address, state in wanted.items():
            orders = entities.orders_of(tx, SHOPIFY, email_key(address) or "")
            states = [row.state for order in orders if (row := referrals.by_order(tx, SHOPIFY, order.id))]
            if states != [state]:
                found.append(f"referral of {address}: {states} instead of {state}")
    return found


def _in_the_shops(world: World) -> list[str]:
    """Codes and reviews are real things of the platforms."""
    found = []
    codes = {str(row["code"]) for row in world.woo.coupons.values()}
    if sum(code.startswith("kiitos-") for code in codes) != 1:
        found.append(f"WooCommerce has the thank-you coupons {sorted(codes)}")
    if len(world.woo.reviews) != 1:
        found.append(f"WooCommerce has {len(world.woo.reviews)} reviews instead of Liisa's one")
    if len(world.shopify.metaobjects) != 1:
        found.append(f"Shopify has {len(world.shopify.metaobjects)} review metaobjects instead of Aino's one")
    thanks = [d for d in world.shopify.discounts.values() if d.code.startswith(("KIITOS-", "THANKS-"))]
    if len(thanks) != 2:
        found.append(f"Shopify has {len(thanks)} thank-you and reward codes instead of 2")
    return found + [f"the fake Shopify lacks: {gap}" for gap in (*world.shopify.gaps, *world.woo.gaps)]


def _quarantine(world: World) -> list[str]:
    """What the staging copy sent was kept and not acted on."""
    with world.kiitos.store.work.read() as tx:
        count = deliveries.count_by_status(tx).get("quarantined", 0)
    return [] if count else ["the staging copy's deliveries are not in quarantine"]


CHECKS: tuple[Callable[[World], list[str]], ...] = (
    _mails,
    _once,
    _settled,
    _guest,
    _referrals,
    _in_the_shops,
    _quarantine,
)


def checks() -> int:
    """How many things `faults` looks at."""
    return len(MAILS) + len(CHECKS) - 1
