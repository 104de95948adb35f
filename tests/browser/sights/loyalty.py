"""The points of a buyer, with a code of each state, in Finnish, English and Arabic."""

from __future__ import annotations

from connector.store import accounts, entities, perks
from connector.testing.world import SHOPIFY, World
from tests.pages.life import AINO, NORA, client
from tests.pages.member import SETTINGS as LOYALTY
from tests.pages.member import exchanges, gives, page_of

EVENING = {
    "kind": "invitation",
    "title": "Glögi-ilta <b>",
    "tiers": ["silver", "gold"],
    "begins": "2026-03-01 10:00",
    "ends": "2027-05-31 10:00",
    "link": "https://shop.example/evening",
}
PERKS = {**LOYALTY["loyalty"]["perks"], "evening": EVENING}
SETTINGS = {**LOYALTY, "loyalty": {**LOYALTY["loyalty"], "perks": PERKS}}
FARAH = "farah@example.test"


def seat(world: World, address: str, name: str) -> None:
    """One of the places, whoever they are; the page shows it to those who stand in the tier."""
    key, now = address.lower(), world.clock.now()
    with world.kiitos.store.work.transaction() as tx:
        perks.add(tx, SHOPIFY, "evening", [f"EVENING-{name.upper()}"])
        owner = entities.customer_by_email(tx, SHOPIFY, key)
        holder = accounts.open_for(tx, SHOPIFY, owner.id if owner else None, key, f"seat/{name}", now)
        perks.take(tx, SHOPIFY, "evening", holder.account, now)


def pages(world: World) -> dict[str, str]:
    found = {}
    for address, name, language in (
        (str(NORA.email), "Nora", "en"),
        (str(AINO.email), "Aino", "fi"),
        (FARAH, "ar", "ar"),
    ):
        gives(world, 12_345, address, f"sweep-{name}")
        seat(world, address, name)
        path = page_of(world, address, locale=language)
        exchanges(client(world), path, "five")
        world.wait(minutes=1)
        exchanges(client(world), path, "delivery")
        found[f"loyalty-{name}"] = path
    return found | {"loyalty-nobody": page_of(world, "nobody@example.test")}
