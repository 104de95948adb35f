"""What the people of the review journeys do: a customer with the form, the shop's people with their queue."""

from __future__ import annotations

import io
import re
from typing import Any

import requests
from PIL import Image

from connector.pages import moderation, shown_reviews
from connector.store import reviews
from connector.store.reviews import ReviewRow
from connector.testing.demo.mailbox import read_mail
from connector.testing.fakes.people import Buyer
from connector.testing.world import World


def picture(colour: str = "teal", form: str = "JPEG") -> bytes:
    """A photo as a phone would send it, with a place in its EXIF."""
    target = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "Home of Liisa, 60.17 N 24.94 E"
    Image.new("RGB", (640, 480), colour).save(target, form, exif=exif)
    return target.getvalue()


def form_of(world: World, buyer: Buyer) -> str:
    """The address of the form in the newest mail that has one."""
    for kept in reversed(world.sink.to(str(buyer.email))):
        found = re.search(r"http://127\.0\.0\.1:\d+/p/review/\w+", read_mail(0, kept).text)
        if found:
            return found[0]
    raise LookupError(f"nobody asked {buyer.email}")


def products_in(form: str) -> list[str]:
    return sorted(set(re.findall(r'name="rating-([^"]+)"', requests.get(form, timeout=10).text)))


def write(world: World, form: str, fields: dict[str, str], photos: dict[str, list[bytes]] | None = None) -> int:
    """Send the form as a browser does; the status of the page that follows."""
    files = [
        (name, (f"{at}.jpg", data, "image/jpeg"))
        for name, all_ in (photos or {}).items()
        for at, data in enumerate(all_)
    ]
    answer = requests.post(form, data=fields, files=files or None, timeout=60)
    world.deliver()
    return answer.status_code


def of_product(world: World, shop_id: str, product: str) -> list[ReviewRow]:
    with world.kiitos.store.work.read() as tx:
        return [row for row in reviews.every(tx, shop_id) if row.product_id == product]


def desk(world: World, shop_id: str) -> str:
    from datetime import timedelta

    return moderation.new_link(world.kiitos, shop_id, "Sanna", timedelta(hours=48))


def decide(world: World, link: str, what: str, review: str, text: str = "") -> requests.Response:
    answer = requests.post(link, data={"do": what, "review": review, "text": text}, timeout=10)
    world.deliver()
    return answer


def shown(world: World, shop_id: str, product: str, **query: Any) -> requests.Response:
    """What everybody may read."""
    base = world.kiitos.config.app.base_url.rstrip("/")
    key = shown_reviews.key_of(world.kiitos, shop_id)
    return requests.get(f"{base}/p/reviews/{key}/{product}", params=query, timeout=10)
