"""The shop's people at their queue, and the customer at what they wrote: pages that decide only by POST."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
import requests
from PIL import Image

from connector.pages import PHOTO_BODY, moderation
from connector.store import review_photos, reviews
from connector.store.reviews import ReviewRow
from connector.testing.fakes.people import MUG
from connector.testing.world import SHOPIFY, World
from tests.pages.life import AINO, asked, client, rows, snapshot
from tests.pages.test_review import products, stored


def picture(colour: str = "teal", size: tuple[int, int] = (64, 48)) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", size, colour).save(target, "JPEG")
    return target.getvalue()


def photo_field(*files: bytes) -> list[tuple[io.BytesIO, str]]:
    return [(io.BytesIO(data), f"../../{at}.php") for at, data in enumerate(files)]


def written(world: World, text: str = "Fine.", **more: object) -> tuple[str, str, ReviewRow]:
    path = asked(world, lines=((MUG, 1),))
    (mug,) = products(world)
    data = {f"rating-{mug}": "4", f"text-{mug}": text, **{key.replace("ID", mug): value for key, value in more.items()}}
    answer = client(world).post(path, data=data, content_type="multipart/form-data")
    assert answer.status_code == 303, answer.text
    return path, mug, stored(world)[0]


def link_of(world: World, hours: int = 4) -> str:
    return (
        moderation.new_link(world.kiitos, SHOPIFY, "Sanna", timedelta(hours=hours)).partition("//")[2].partition("/")[2]
    )


def test_looking_decides_nothing(world: World) -> None:
    path, mug, row = written(world, "call 040 123 4567")
    link = f"/{link_of(world)}"
    before = snapshot(world)
    asked_for = (f"{link}?do=approve&review={row.id}", f"{path}?withdraw={row.id}", f"{path}?edit={row.id}")
    for address in (link, *asked_for, f"{path}?story=1"):
        assert client(world).get(address).status_code == 200
    assert snapshot(world) == before
    assert mug


def test_a_held_review_is_approved_under_a_name(world: World) -> None:
    _, _, row = written(world, "call 040 123 4567")
    assert (row.state, row.reasons) == ("held", ("personal",))
    link = f"/{link_of(world)}"
    page = client(world).get(link).text
    assert "personal data" in page
    assert "Done." in client(world).post(link, data={"do": "approve", "review": row.id}).text
    assert "That was so already" in client(world).post(link, data={"do": "approve", "review": row.id}).text
    with world.kiitos.store.work.read() as tx:
        past = reviews.history(tx, SHOPIFY, row.id)
    assert [(each.what, each.by) for each in past] == [("held", ""), ("published", "Sanna")]


def test_a_link_ends_and_is_one_shops(world: World) -> None:
    _, _, row = written(world, "call 040 123 4567")
    link = f"/{link_of(world, 4)}"
    world.clock.advance(timedelta(hours=4, seconds=1))
    assert client(world).get(link).status_code == 404
    assert client(world).post(link, data={"do": "approve", "review": row.id}).status_code == 404
    assert stored(world)[0].state == "held"


def test_an_unknown_review_is_said_kindly(world: World) -> None:
    link = f"/{link_of(world)}"
    assert "not there any more" in client(world).post(link, data={"do": "approve", "review": "x"}).text
    assert "not there any more" in client(world).post(link, data={"do": "burn", "review": "x"}).text


# -- the customer's side -----------------------------------------------------------------------------------------------


def test_photos_are_kept_small_clean_and_theirs(world: World) -> None:
    path, _, row = written(world, **{"photos-ID": photo_field(picture(), picture("red"))})
    with world.kiitos.store.work.read() as tx:
        photos = review_photos.of(tx, SHOPIFY, [row.id])[row.id]
    assert len(photos) == 2
    assert rows(world, "SELECT count(*) FROM review_photos WHERE hex(picture) LIKE 'FFD8FF%'") == [(2,)]
    shown = client(world).get(f"/p/photo/{photos[0].id}?small=1")
    assert (shown.status_code, shown.headers["Content-Type"]) == (200, "image/jpeg")
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert shown.headers["Content-Disposition"] == f'attachment; filename="{photos[0].id}.jpg"'
    assert shown.headers["Content-Security-Policy"].startswith("default-src 'none'")
    own = client(world).get(path).text
    assert own.count("<img ") == 2
    for guess in ("x" * 32, "../x", photos[0].id[:-1] + ("0" if photos[0].id[-1] != "0" else "1")):
        assert client(world).get(f"/p/photo/{guess}").status_code == 404


def test_what_cannot_be_used_is_said_and_what_was_typed_is_kept(world: World) -> None:
    path = asked(world, lines=((MUG, 1),))
    (mug,) = products(world)
    base = {f"rating-{mug}": "4", f"text-{mug}": "My words", f"title-{mug}": "My title", "author": "N.", "reuse": "1"}

    def refused(words: str, **more: object) -> None:
        answer = client(world).post(path, data={**base, **more}, content_type="multipart/form-data")
        assert answer.status_code == 422
        assert words in answer.text
        assert "My words" in answer.text
        assert 'value="My title"' in answer.text
        assert 'value="4" checked' in answer.text
        assert 'name="reuse" value="1" checked' in answer.text
        assert stored(world) == []

    refused("cannot be read", **{f"photos-{mug}": photo_field(b"<svg onload=alert(1)>")})
    refused("choose your photos again", **{f"photos-{mug}": photo_field(b"GIF89a")})
    refused("At most 4 photos", **{f"photos-{mug}": photo_field(*[picture()] * 5)})
    refused("begins with https://", **{f"video-{mug}": "javascript:alert(1)"})
    refused("Videos can be linked from www.youtube.com", **{f"video-{mug}": "https://evil.example/x"})


def test_a_form_beyond_all_limits_is_refused(world: World) -> None:
    path = asked(world, lines=((MUG, 1),))
    (mug,) = products(world)
    told = {"CONTENT_LENGTH": str(PHOTO_BODY + 1)}
    form = "multipart/form-data; boundary=x"
    assert client(world).post(path, data=b"x", content_type=form, environ_overrides=told).status_code == 413
    heavy = {f"photos-{mug}": ("a.jpg", b"\xff\xd8\xff" + b"\0" * (8 << 20), "image/jpeg")}
    answer = requests.post(world.serving.url + path, data={f"rating-{mug}": "4"}, files=heavy, timeout=60)
    assert (answer.status_code, "larger than 8 MB" in answer.text) == (422, True), (
        "the server takes it, the form does not"
    )
    assert requests.post(world.serving.url + path, data=b"x" * (3 << 20), timeout=60).status_code == 413, "no form"
    assert stored(world) == []


def test_an_edit_keeps_what_was_said_and_is_looked_through_again(world: World) -> None:
    path, mug, row = written(world, "Fine.", **{"photos-ID": photo_field(picture(), picture("red"))})
    with world.kiitos.store.work.read() as tx:
        first, second = review_photos.of(tx, SHOPIFY, [row.id])[row.id]
    form = client(world).get(f"{path}?edit={row.id}").text
    assert "Fine." in form
    assert f'name="drop-{first.id}"' in form
    said = {f"rating-{mug}": "1", f"text-{mug}": "Broke. See www.example.com", f"drop-{first.id}": "1"}
    data = {"do": "edit", "review": row.id, **said}
    assert client(world).post(path, data=data).status_code == 303
    (now,) = stored(world)
    assert (now.rating, now.state, now.reasons, now.revision) == (1, "held", ("link",), 2)
    with world.kiitos.store.work.read() as tx:
        assert [photo.id for photo in review_photos.of(tx, SHOPIFY, [row.id])[row.id]] == [second.id]
        assert [(past.what, past.text, past.rating) for past in reviews.history(tx, SHOPIFY, row.id)] == [
            ("edited", "Fine.", 4)
        ]
    assert client(world).get(f"/p/photo/{second.id}").status_code == 404, "held: nobody else sees it"
    token = path.rpartition("/")[2]
    assert client(world).get(f"/p/photo/{second.id}/{token}").status_code == 200, "its owner does"


def test_a_withdrawn_review_stays_withdrawn(world: World) -> None:
    path, mug, row = written(world, "Fine.", **{"photos-ID": photo_field(picture()), "reuse": "1"})
    assert row.reuse_at is not None
    assert "Withdraw this for good?" in client(world).get(f"{path}?withdraw={row.id}").text
    assert "has been withdrawn" in client(world).post(path, data={"do": "withdraw", "review": row.id}).text
    assert rows(world, "SELECT count(*) FROM review_photos") == [(0,)]
    again = client(world).post(path, data={"do": "edit", "review": row.id, f"rating-{mug}": "5"})
    assert again.status_code == 200
    assert "already" in again.text
    (now,) = stored(world)
    assert (now.state, now.reuse_at) == ("withdrawn", None)
    link = f"/{link_of(world)}"
    assert "That was so already" in client(world).post(link, data={"do": "approve", "review": row.id}).text


def test_permission_is_not_given_by_itself_and_can_be_taken_back(world: World) -> None:
    path, _, row = written(world, reuse="1")
    assert 'name="reuse" value="1">' in client(world).get(f"{asked(world)}").text.replace(" checked", "CHECKED")
    with world.kiitos.store.work.read() as tx:
        assert [each.id for each in reviews.reusable(tx, SHOPIFY, world.clock.now())] == [row.id]
    answer = client(world).post(path, data={"do": "revoke", "review": row.id})
    assert "permission has been taken back" in answer.text
    with world.kiitos.store.work.read() as tx:
        assert list(reviews.reusable(tx, SHOPIFY, world.clock.now())) == []


def test_a_story_needs_no_stars_and_is_no_review(world: World) -> None:
    path = asked(world, lines=((MUG, 1),))
    data = {"text-story": "A shop like my grandmother's.", "photos-story": photo_field(picture()), "reuse": "1"}
    assert client(world).post(path, data=data, content_type="multipart/form-data").status_code == 303
    (story,) = stored(world)
    assert (story.is_story, story.rating, story.rewarded) == (True, 0, False)
    assert rows(world, "SELECT count(*) FROM events WHERE kind = 'review.submitted'") == [(0,)]
    assert "Your story" in client(world).get(f"{path}?done=1").text
    (mug,) = products(world)
    assert client(world).post(path, data={f"rating-{mug}": "5", "text-story": "Again"}).status_code == 303
    assert sorted(row.is_story for row in stored(world)) == [False, True]


@pytest.mark.parametrize("do", ["edit", "withdraw", "revoke"])
def test_nobody_touches_what_is_not_theirs(world: World, do: str) -> None:
    _, _, row = written(world, reuse="1")
    other = asked(world, lines=((MUG, 2),), buyer=AINO)
    client(world).post(other, data={"do": do, "review": row.id})
    with world.kiitos.store.work.read() as tx:
        now = reviews.get(tx, SHOPIFY, row.id)
    assert now is not None
    assert (now.state, now.text, now.revision, now.reuse_at) == (row.state, row.text, 1, row.reuse_at)
