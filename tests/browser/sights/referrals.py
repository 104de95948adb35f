"""Pages of referrals: the advocate's own with friends' orders of every kind, the staff's queue, asking, the board."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

from connector.pages.referral_ask import address_of
from connector.pages.referral_leaders import token_of
from connector.pages.referral_queue import new_link
from connector.store import referrals
from connector.testing.fakes.people import MUG, Buyer
from connector.testing.world import SHOPIFY, World
from tests.pages.life import AINO, NORA, client, link

SETTINGS = {
    "referrals": {
        "friend": "free delivery",
        "return_window": "14d",
        "reward": {"kind": "code", "worth": "10 %"},
        "leaderboard": True,
    },
    "flows": {"referral-link": {"file": "referral_link"}},
}
HOSTILE = "<b onclick=alert(1)>‮Ω " + "Donaudampfschifffahrt" * 6
_HONEST = Buyer(first_name="Väinö", last_name="Niemi", email="vaino@example.test", address="Toinen 5", postcode="90100")
_LOUD = Buyer(
    first_name=HOSTILE, last_name="Lind", email="loud@mailinator.com", address=HOSTILE, city=HOSTILE, postcode="1"
)


def pages(world: World) -> dict[str, str]:
    with world.kiitos.store.work.read() as tx:
        code = referrals.code_of(tx, SHOPIFY, "nora.lind@example.test")
    assert code is not None
    for buyer in (_HONEST, _LOUD):
        world.shopify.place_order([(MUG, 1)], buyer, discount_code=code.code_key)
    world.wait(hours=1)
    share = link(world, NORA, "share")
    client(world).post(share, data={"show": "1"})
    return {
        "share-Nora": share,
        "share-Aino": link(world, AINO, "share"),
        "refer-Nora": urlsplit(address_of(world.kiitos, SHOPIFY)).path,
        "refer-ar": urlsplit(address_of(world.kiitos, SHOPIFY)).path + "?lang=ar",
        "referrals-Nora": urlsplit(new_link(world.kiitos, SHOPIFY, HOSTILE, timedelta(days=30))).path,
        "leaders-Nora": f"/p/leaders/{token_of(world.kiitos, SHOPIFY)}",
    }
