"""The points of a buyer, with a code of each state, in Finnish, English and Arabic."""

from __future__ import annotations

from connector.testing.world import World
from tests.pages.life import AINO, NORA, client
from tests.pages.member import SETTINGS as LOYALTY
from tests.pages.member import exchanges, gives, page_of

SETTINGS = LOYALTY
FARAH = "farah@example.test"


def pages(world: World) -> dict[str, str]:
    found = {}
    for address, name, language in (
        (str(NORA.email), "Nora", "en"),
        (str(AINO.email), "Aino", "fi"),
        (FARAH, "ar", "ar"),
    ):
        gives(world, 12_345, address, f"sweep-{name}")
        path = page_of(world, address, locale=language)
        exchanges(client(world), path, "five")
        world.wait(minutes=1)
        exchanges(client(world), path, "delivery")
        found[f"loyalty-{name}"] = path
    return found | {"loyalty-nobody": page_of(world, "nobody@example.test")}
