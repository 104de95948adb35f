"""Photos with a return or a complaint: painted anew, for the merchant's people alone, and gone when they are to be."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from PIL import Image

from connector.gathering import pack_export
from connector.store import case_photos, people
from connector.testing.fakes.shopify import FakeUnavailable
from connector.testing.world import SHOPIFY, World
from connector.watching.retention import Retention
from flows.care.cases import desk_link
from tests.journeys.test_case import SETTINGS, START, desk, page_of
from tests.pages.life import AINO, client, order_arrives, rows, snapshot
from tests.pages.test_review_queue import photo_field, picture

FORM = {"kind": "complaint", "text": "It came broken", "reason": "damaged"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    try:
        with World(tmp_path, START, settings=SETTINGS, unchecked=True) as made:
            yield made
    except FakeUnavailable as reason:
        pytest.skip(str(reason))


def a_phones_photo() -> bytes:
    """With the place it was taken at, and a script behind its end."""
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    target = io.BytesIO()
    Image.new("RGB", (64, 48), "teal").save(target, "JPEG", exif=exif)
    return target.getvalue() + b"<script>alert(1)</script>"


def sends(world: World, *files: bytes, code: int = 303, **form: str) -> tuple[str, str]:
    """The page's text, and the case's id."""
    data = {**FORM, **form, "photos": photo_field(*files)}
    answer = client(world).post(page_of(world), data=data, content_type="multipart/form-data")
    assert answer.status_code == code, answer.text
    return answer.text, str(answer.location).rpartition("=")[2]


def photos_of(world: World, case_id: str) -> list[str]:
    with world.kiitos.store.work.read() as tx:
        return [photo.id for photo in case_photos.of(tx, SHOPIFY, case_id)]


def test_only_the_merchants_people_see_what_was_sent(world: World) -> None:
    order_arrives(world)
    _, case_id = sends(world, a_phones_photo(), picture("red"))
    assert sends(world, a_phones_photo(), picture("red"))[1] == case_id, "sent twice, with the same pictures"
    first, second = photos_of(world, case_id)
    _, other = sends(world, picture("blue"))
    assert other != case_id, "another picture is another request"
    kept = rows(world, "SELECT hex(picture), hex(small) FROM case_photos")
    assert len(kept) == 3
    assert all(each.startswith("FFD8FF") for row in kept for each in row)
    hidden = (b"SecretCamera".hex().upper(), b"<script>".hex().upper())
    assert not any(word in each for row in kept for each in row for word in hidden)
    world.deliver()
    with world.kiitos.store.work.transaction() as tx:
        now, base = world.clock.now(), "http://x.example"
        links = [
            urlsplit(desk_link(tx, world.kiitos.salt, base, SHOPIFY, each, "support", now)).path
            for each in (case_id, other)
        ]
    answer = client(world).get(links[0])
    assert "img-src data: 'self'" in answer.headers["Content-Security-Policy"], "or the browser shows none of them"
    staff = answer.text
    assert staff.count("<img ") == 2
    for place in (f"{links[0]}/{first}", f"{links[0]}/{second}?small=1"):
        assert f'"{place}"' in staff
        shown = client(world).get(place)
        assert (shown.status_code, shown.headers["Content-Type"]) == (200, "image/jpeg")
        assert shown.headers["Content-Disposition"].startswith("attachment")
        assert "no-store" in shown.headers["Cache-Control"]
    customers = page_of(world)
    token = customers.rpartition("/")[2]
    for strange in (links[1], f"/p/desk/{token}", "/p/photo"):
        assert client(world).get(f"{strange}/{first}").status_code == 404, strange
    assert client(world).get(f"/p/photo/{first}/{token}").status_code == 404
    assert "<img " not in client(world).get(customers).text, "whoever has the order's link sees none of it"


def test_what_is_no_photo_is_refused_and_the_words_are_kept(world: World) -> None:
    order_arrives(world)
    before = snapshot(world)
    hostile = (b"<svg onload=alert(1)>", b"%PDF-1.7", b"\xff\xd8\xff" + b"\0" * 1000)
    for files, said in (
        *(((each,), "cannot be read") for each in hostile),
        ((picture(),) * 5, "At most 4 photos"),
        ((picture(), b"GIF89a"), "choose your photos again"),
    ):
        told, _ = sends(world, *files, code=422)
        assert said in told
        assert "It came broken" in told
    sends(world, picture(), code=422, text=" ")
    heavy = {"photos": ("a.jpg", b"\xff\xd8\xff" + b"\0" * (8 << 20), "image/jpeg")}
    answer = requests.post(world.serving.url + page_of(world), data=FORM, files=heavy, timeout=60)
    assert (answer.status_code, "larger than 8 MB" in answer.text) == (422, True)
    assert snapshot(world) == before
    object.__setattr__(world.kiitos.config.shop(SHOPIFY).returns, "photos", 0)
    assert 'type="file"' not in client(world).get(page_of(world)).text
    _, case_id = sends(world, picture())
    assert photos_of(world, case_id) == []


def test_they_are_told_of_forgotten_and_not_kept_for_ever(world: World) -> None:
    order_arrives(world)
    order_arrives(world, AINO)
    _, case_id = sends(world, picture())
    client(world).post(page_of(world, AINO), data={**FORM, "photos": photo_field(picture())})
    world.deliver()
    with world.kiitos.store.work.transaction() as tx:
        person = people.find(tx, SHOPIFY, email="nora.lind@example.test")
        found = people.gather(tx, person)
        archive = zipfile.ZipFile(io.BytesIO(pack_export(SHOPIFY, "r", world.clock.now(), found)))
        (photo,) = (row["photo_id"] for row in found["case_photos"])
        assert archive.read(f"photos/{photo}.jpg").startswith(b"\xff\xd8\xff")
    client(world).post(desk(world), data={"action": "refuse", "text": "No."})
    world.clock.advance(timedelta(days=181))
    retention = Retention(world.kiitos)
    while retention.work():
        pass
    assert rows(world, "SELECT COUNT(*) FROM case_photos") == [(1,)], "an open case keeps its photos"
    assert photos_of(world, case_id) == []
    with world.kiitos.store.work.transaction() as tx:
        people.erase(tx, people.find(tx, SHOPIFY, email=str(AINO.email)), world.clock.new_id, [], "r")
    assert rows(world, "SELECT COUNT(*) FROM case_photos") == [(0,)]
