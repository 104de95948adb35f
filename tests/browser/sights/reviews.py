"""Reviews: the form, what somebody wrote, the queue of the shop's people, the shop's own pages."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

from PIL import Image

from connector.pages import moderation, shown_reviews
from connector.store import reviews
from connector.testing.fakes.people import BEANS, MUG
from connector.testing.world import SHOPIFY, World
from flows.reviews import reviewing
from tests.pages.life import NORA, client, link, order_arrives

LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
HOSTILE = '<script>alert(1)</script> "><img src=x onerror=alert(1)> {{ 7 * 7 }} ' + LONG
WRITER = replace(NORA, first_name=LONG, last_name="'\"><b>x", email="writer@example.test")
HELD = replace(NORA, first_name="Held", email="held@example.test")
ARABIC = replace(NORA, first_name="ليلى", email="laila@example.test", locale="ar")


def prepare(world: World) -> None:
    for buyer in (WRITER, HELD, ARABIC):
        order_arrives(world, buyer, ((replace(MUG, title=f"Mug {LONG}", sku="LONG-M"), 1), (BEANS, 1)))


def pages(world: World) -> dict[str, str]:
    mine, held = write(world, WRITER, HOSTILE), write(world, HELD, "call 040 123 4567")
    shopper = link(world, ARABIC, "review")
    app = world.kiitos
    with app.store.work.transaction() as tx:
        row = next(each for each in reviews.every(tx, SHOPIFY) if each.text == HOSTILE)
        reviewing.answer(tx, app.runner, SHOPIFY, row, f"Thank you! {HOSTILE}", "Sanna", world.clock.now())
    key = shown_reviews.key_of(app, SHOPIFY)
    desk = moderation.new_link(app, SHOPIFY, "Sanna", timedelta(days=3650))
    return {
        "wrote": f"{mine}?done=1",
        "edit": f"{mine}?edit={row.id}",
        "withdraw": f"{mine}?withdraw={row.id}",
        "story": f"{mine}?story=1",
        "waits": f"{held}?done=1",
        "review-ar": shopper,
        "queue": urlsplit(desk).path,
        "shown": f"/p/reviews/{key}/{row.product_id}",
        "shown-worst": f"/p/reviews/{key}/{row.product_id}?sort=worst",
        "shown-none": f"/p/reviews/{key}/0",
    }


def write(world: World, buyer: object, text: str) -> str:
    """Send the form with two pictures; its path."""
    path = link(world, buyer, "review")  # type: ignore[arg-type]
    product = client(world).get(path).text.partition('name="rating-')[2].partition('"')[0]
    data = {f"rating-{product}": "2", f"title-{product}": text[:100], f"text-{product}": text, "reuse": "1"}
    data |= {f"video-{product}": "https://youtu.be/abc"}
    files = {f"photos-{product}": [(picture(colour), f"{colour}.jpg") for colour in ("teal", "orange")]}
    answer = client(world).post(path, data={**data, **files}, content_type="multipart/form-data")
    assert answer.status_code == 303, answer.text
    return path


def picture(colour: str) -> io.BytesIO:
    target = io.BytesIO()
    Image.new("RGB", (400, 300), colour).save(target, "JPEG")
    target.seek(0)
    return target
