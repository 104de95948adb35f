"""A week in two shops, and what follows from it. Each act says in one line what the outside world does.

Times are UTC; the shops are in Helsinki. Everybody is invented.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import requests

from connector.testing.demo.mailbox import read_mail
from connector.testing.fakes.people import Article, Buyer
from connector.testing.world import SHOPIFY, WOO, World

MONDAY = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
Say = Callable[[str, str], None]

TENT = Article(title="Tunturi tent, two persons", price=Decimal("249.00"), sku="TENT-2")
MUG = Article(title="Birch mug", price=Decimal("24.90"), sku="MUG-1", variant_title="Large")
LAMP = Article(title="Head lamp", price=Decimal("59.00"), sku="LAMP-1")
CARD = Article(title="Gift card", price=Decimal("50.00"), sku="CARD-50", requires_shipping=False, is_gift_card=True)
JAM = Article(title="Lakkahillo & keksit", price=Decimal("12.50"), sku="JAM-1")
SOCKS = Article(title="Villasukat", price=Decimal("29.00"), sku="SOCK-1")

AINO = Buyer(first_name="Aino", last_name="Mäkinen", email="Aino.Makinen@example.com", locale="fi-FI")
KENJI = Buyer(
    first_name="健二",
    last_name="田中",
    email="kenji@example.jp",
    locale="ja-JP",
    country="JP",
    country_name="Japan",
    city="京都市",
    address="架空町1-2-3",
    postcode="600-0000",
)
OMAR = Buyer(
    first_name="عمر",
    last_name="الحسن",
    email="omar@example.org",
    locale="ar",
    country="SE",
    country_name="Sweden",
    city="Malmö",
    address="Påhittade gatan 4",
    postcode="211 00",
    accepts_marketing=True,
)
GUEST = Buyer(phone="+358401234567", locale="fi-FI")
ELSA = Buyer(first_name="Elsa", last_name="Berg", email="elsa@example.se", locale="sv-SE", country="SE")
VAINO = Buyer(
    first_name="Väinö",
    last_name="Niemi",
    email="vaino@example.net",
    locale="fi",
    phone="+358407654321",
    address="Toinen tie 5",
    city="Oulu",
    postcode="90100",
)
ILONA = Buyer(
    first_name="Ilona",
    last_name="Salo",
    email="ilona@example.net",
    locale="en",
    address="Third road 7",
    city="Turku",
    postcode="20100",
)
LIISA = Buyer(first_name="Liisa", last_name="Virtanen", email="liisa@example.fi", locale="fi")
PEKKA = Buyer(first_name="Pekka", last_name="Laine", email="pekka@example.fi", locale="fi")
HILLA = Buyer(first_name="Hilla 🌲", last_name="Korpi", email="hilla@example.fi", locale="fi")

PEOPLE: tuple[tuple[str, str], ...] = (
    *((SHOPIFY, buyer.email) for buyer in (AINO, KENJI, OMAR, ELSA, VAINO, ILONA) if buyer.email),
    *((WOO, buyer.email) for buyer in (LIISA, PEKKA, HILLA) if buyer.email),
)


def play(world: World, say: Say) -> None:
    """The whole story. `say(who, what)` is told of each thing the outside world does, before it does it."""
    _monday(world, say)
    _the_week(world, say)
    _reviews(world, say)
    _friends(world, say)


def _monday(world: World, say: Say) -> None:
    shopify, woo = world.shopify, world.woo
    say("Aurora", "Aino buys a tent and a mug; Shopify delivers the webhook twice")
    shopify.place_order([(TENT, 1), (MUG, 2)], AINO)
    world.deliver(duplicate=True)
    world.wait(hours=1)
    say("Aurora", "Kenji in Kyoto buys a lamp, Omar in Malmö a mug, a guest at the phone leaves no e-mail")
    for lines, buyer in (([(LAMP, 1)], KENJI), ([(MUG, 1)], OMAR), ([(MUG, 1)], GUEST)):
        shopify.place_order(lines, buyer)
    world.wait(hours=1)
    say("Aurora", "Elsa buys a gift card and a lamp, thinks again and cancels")
    order = shopify.place_order([(CARD, 1), (LAMP, 1)], ELSA)
    world.wait(minutes=40)
    shopify.cancel(order)
    world.wait(hours=1)
    say("Metsä", "Liisa orders in the block checkout: WooCommerce sends 'updated' before 'created'")
    woo.place_order([(JAM, 2), (SOCKS, 1)], LIISA)
    world.wait(hours=1)
    say("Metsä", "Pekka's card payment is pending for an hour; Hilla orders too; a staging copy of the shop speaks up")
    pending = woo.place_order([(SOCKS, 1)], PEKKA, checkout="classic", status="pending")
    woo.place_order([(JAM, 1)], HILLA)
    world.wait(hours=1)
    woo.set_status(pending, "processing")
    world.wait(minutes=10)
    woo.set_status(pending, "processing")
    woo.deliver(source="https://staging.metsa.example")
    world.wait(hours=2)


def _the_week(world: World, say: Say) -> None:
    shopify, woo = world.shopify, world.woo
    by_name = {(row["customer"] or {}).get("email"): row for row in shopify.orders.values()}
    tent, lamp, mug = by_name[AINO.email], by_name[KENJI.email], by_name[OMAR.email]
    world.until(MONDAY + timedelta(days=1))
    say("Aurora", "the tent leaves on its own; Kenji's lamp and Omar's mug leave too")
    first = shopify.fulfill(tent, [(tent["line_items"][0], 1)], tracking=("Posti", "JJFI66100000000000001"))
    shopify.fulfill(lamp, tracking=("DHL", "JD000390000000001"))
    omars = shopify.fulfill(mug, tracking=("PostNord", "00370000000000000001"))
    world.wait(hours=6)
    say("Metsä", "Liisa's, Pekka's and Hilla's parcels get tracking numbers")
    for number, order in enumerate(list(woo.orders.values())):
        woo.add_tracking(order, f"JJFI6530000000000000{number}")
        woo.set_status(order, "completed")
    world.until(MONDAY + timedelta(days=2))
    say("Aurora", "the mugs follow in a second parcel; the tent is out for delivery, then delivered")
    second = shopify.fulfill(tent, tracking=("Posti", "JJFI66100000000000002"))
    shopify.carrier_event(first, "out_for_delivery")
    world.wait(hours=4)
    shopify.carrier_event(first, "delivered")
    shopify.carrier_event(omars, "delayed")
    world.until(MONDAY + timedelta(days=3))
    say("Aurora", "the mugs: 'delivered' arrives before 'out for delivery' (an out-of-order delivery)")
    shopify.carrier_event(second, "out_for_delivery")
    world.clock.advance(timedelta(hours=2))
    shopify.carrier_event(second, "delivered")
    world.deliver(out_of_order=True)
    world.until(MONDAY + timedelta(days=4))
    say("Aurora", "Omar's mug arrives after all")
    shopify.carrier_event(omars, "delivered")
    world.until(MONDAY + timedelta(days=5))
    say("Metsä", "Pekka sends his socks back and is refunded")
    woo.refund(next(o for o in woo.orders.values() if o["billing"]["email"] == PEKKA.email), reason="Too small")
    world.until(MONDAY + timedelta(days=7))


def _reviews(world: World, say: Say) -> None:
    world.until(MONDAY + timedelta(days=13, hours=6))
    say("Aurora", "Aino has been asked for a review, follows the five stars and writes one")
    review_by_form(world, AINO, 5, "Kestää tuulta ja tunturia.")
    world.until(MONDAY + timedelta(days=14, hours=6))
    say("Aurora", "Omar uses the mail program's unsubscribe button: nothing but order messages from now on")
    unsubscribe(world, OMAR)
    world.until(MONDAY + timedelta(days=16))
    say("Metsä", "Liisa gives three stars; everybody who writes is thanked, whatever the stars")
    world.until(MONDAY + timedelta(days=25, hours=12))
    review_by_form(world, LIISA, 3, "Hyvää hilloa, sukat vähän pienet.")
    world.until(MONDAY + timedelta(days=40))


def _friends(world: World, say: Say) -> None:
    shopify = world.shopify
    code = _shared_code(world, AINO)
    say("Aurora", f"two friends use Aino's code {code}, and so does Aino herself")
    kept = shopify.place_order([(TENT, 1)], VAINO, discount_code=code)
    sent_back = shopify.place_order([(LAMP, 1)], ILONA, discount_code=code)
    shopify.place_order([(MUG, 1)], AINO, discount_code=code)
    world.wait(days=1)
    for order in (kept, sent_back):
        shopify.fulfill(order, tracking=None)
    world.wait(days=9)
    say("Aurora", "Ilona sends the lamp back: her friend's reward is reversed during the hold")
    shopify.refund(sent_back, [(sent_back["line_items"][0], 1)])
    world.wait(days=40)


def review_by_form(world: World, buyer: Buyer, stars: int, text: str) -> None:
    """Open the link of the newest mail as a person would, and submit the form."""
    link = _link_in_mail(world, buyer, r"http://127\.0\.0\.1:\d+/p/review/\w+")
    form = requests.get(f"{link}?rating={stars}", timeout=10)
    form.raise_for_status()
    products = sorted(set(re.findall(r'name="rating-([^"]+)"', form.text)))
    fields = {f"rating-{products[0]}": str(stars), f"text-{products[0]}": text, "author": buyer.first_name}
    requests.post(link, data=fields, timeout=10).raise_for_status()
    world.deliver()


def unsubscribe(world: World, buyer: Buyer) -> None:
    """What a mail program does for its button: one POST, no cookies, no page (RFC 8058)."""
    mail = read_mail(0, world.sink.to(str(buyer.email))[-1])
    link = dict(mail.headers)["List-Unsubscribe"].strip("<>")
    requests.post(link, data={"List-Unsubscribe": "One-Click"}, timeout=10).raise_for_status()
    world.deliver()


def _link_in_mail(world: World, buyer: Buyer, pattern: str) -> str:
    for kept in reversed(world.sink.to(str(buyer.email))):
        found = re.search(pattern, read_mail(0, kept).text)
        if found:
            return found[0]
    raise LookupError(f"no mail to {buyer.email} has a link like {pattern}")


def _shared_code(world: World, buyer: Buyer) -> str:
    """What a friend sees behind the shared link."""
    page = requests.get(_link_in_mail(world, buyer, r"http://127\.0\.0\.1:\d+/p/friend/\w+"), timeout=10)
    page.raise_for_status()
    found = re.search(r"FRIEND-[0-9A-Z]+", page.text)
    assert found is not None, "the friend's page shows no code"
    return found[0]
