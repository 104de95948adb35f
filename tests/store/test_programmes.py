from __future__ import annotations

from dataclasses import replace

from connector.store import Store, links, meta, referrals, review_photos, reviews
from connector.store.referrals import ReferralRow
from connector.store.review_asks import Names
from connector.store.review_photos import Photo
from connector.store.reviews import ReviewRow, ReviewState
from tests.store.examples import NOW, SHOP, at

AINO, MIKKO = "aino@example.test", "mikko@example.test"


def test_reviews(store: Store) -> None:
    with store.work.transaction() as tx:
        first = ReviewRow(id="501-p1", order_id="501", product_id="p1", rating=4, title="Good", email_key=AINO, at=NOW)
        assert reviews.save(tx, SHOP, first, NOW)
        assert not reviews.save(tx, SHOP, replace(first, rating=5), at(1)), "one per order and product"
        assert reviews.save(tx, SHOP, replace(first, id="501-p2", product_id="p2", rating=3, at=at(1)), at(1))
        assert [(row.id, row.rating) for row in reviews.of_order(tx, SHOP, "501")] == [("501-p1", 4), ("501-p2", 3)]
        assert reviews.edit(tx, SHOP, replace(first, rating=2, title="Worse"), at(2))
        assert not reviews.edit(tx, SHOP, replace(first, rating=1), at(3)), "an older revision changes nothing"
        reviews.mark_published(tx, SHOP, first.id, "c77", 2)
        found = reviews.get(tx, SHOP, first.id)
        assert found is not None
        assert (found.rating, found.title, found.revision, found.pushed, found.platform_id) == (2, "Worse", 2, 2, "c77")
        assert [(past.what, past.title) for past in reviews.history(tx, SHOP, first.id)] == [("edited", "Good")]
        assert reviews.rating_of(tx, SHOP, "p1", at(4)) == (1, 2)
        assert reviews.move(tx, SHOP, found, ReviewState.WITHDRAWN, at(4))
        assert not reviews.move(tx, SHOP, found, ReviewState.PUBLISHED, at(5)), "withdrawn is for good"
        assert reviews.rating_of(tx, SHOP, "p1", at(5)) == (0, 0)
        assert reviews.reviewed_by(tx, SHOP, Names(frozenset({str(AINO)}))) == {"p1", "p2"}
        assert reviews.of_order(tx, "shop-other", "501") == []


def test_the_queue_of_a_state_and_of_one_product(store: Store) -> None:
    with store.work.transaction() as tx:
        for number, (product, state) in enumerate((("p1", "held"), ("p2", "held"), ("p1", "published"), ("", "held"))):
            row = ReviewRow(id=f"r{number}", product_id=product, rating=4, at=at(number), state=ReviewState(state))
            assert reviews.save(tx, SHOP, row, NOW)
        assert [row.id for row in reviews.in_state(tx, SHOP, ReviewState.HELD)] == ["r0", "r1", "r3"]
        assert [row.id for row in reviews.in_state(tx, SHOP, ReviewState.HELD, product_id="p1")] == ["r0"]
        assert [row.id for row in reviews.in_state(tx, SHOP, ReviewState.PUBLISHED, product_id="p1")] == ["r2"]
        assert reviews.in_state(tx, SHOP, ReviewState.HELD, product_id="p9") == []


def test_the_time_of_a_review_comes(store: Store) -> None:
    with store.work.transaction() as tx:
        row = ReviewRow(id="501-p1", order_id="501", product_id="p1", rating=4, at=NOW, publish_at=at(48))
        reviews.save(tx, SHOP, row, NOW)
        assert reviews.shown(tx, SHOP, "p1", at(47)) == []
        assert [each.id for each in reviews.shown(tx, SHOP, "p1", at(48))] == ["501-p1"]
        assert reviews.stars_of(tx, SHOP, "p1", at(48)) == {5: 0, 4: 1, 3: 0, 2: 0, 1: 0}


def test_pictures_go_with_who_may_see_them(store: Store) -> None:
    with store.work.transaction() as tx:
        row = ReviewRow(id="501-p1", order_id="501", product_id="p1", rating=4, at=NOW, state=ReviewState.HELD)
        reviews.save(tx, SHOP, row, NOW)
        photo = Photo(id="k" * 26, width=4, height=3, picture=b"\xff\xd8\xff\x00", small=b"\xff\xd8")
        review_photos.add(tx, SHOP, row.id, 0, photo, NOW)
        found = review_photos.find(tx, photo.id)
        assert found is not None
        assert (found.picture, found.small, found.shown(at(1))) == (photo.picture, photo.small, False)
        reviews.move(tx, SHOP, row, ReviewState.PUBLISHED, at(1))
        shown = review_photos.find(tx, photo.id)
        assert shown is not None
        assert shown.shown(at(1))
        assert [each.width for each in review_photos.of(tx, SHOP, [row.id])[row.id]] == [4]
        review_photos.drop(tx, SHOP, row.id, photo.id)
        assert review_photos.find(tx, photo.id) is None


def test_referral_codes(store: Store) -> None:
    with store.work.transaction() as tx:
        assert referrals.put_code(tx, SHOP, "AINO-7F3K", AINO, "71", "501", "r1", NOW)
        assert not referrals.put_code(tx, SHOP, "AINO-7F3K", MIKKO, None, None, None, NOW)
        assert referrals.put_code(tx, SHOP, "AINO-9999", AINO, None, None, None, at(1))
        found = referrals.code(tx, SHOP, " aino-7f3k ")
        newest = referrals.code_of(tx, SHOP, AINO)
        assert referrals.code(tx, SHOP, "NOBODY") is None
        assert referrals.code(tx, "shop-other", "AINO-7F3K") is None
        assert referrals.code_of(tx, SHOP, MIKKO) is None
    assert found is not None
    assert (found.advocate_email_key, found.advocate_customer_id, found.run_id) == (AINO, "71", "r1")
    assert newest is not None
    assert newest.code_key == "AINO-9999"


def test_a_referral_is_rewarded_once(store: Store) -> None:
    with store.work.transaction() as tx:
        row = ReferralRow("f1", "aino-7f3k", AINO, MIKKO, "601", "held", "return window", NOW, NOW, opens_at=at(9))
        assert referrals.open_one(tx, SHOP, row, NOW)
        assert not referrals.open_one(tx, SHOP, replace(row, reason=""), NOW)
        referrals.open_at(tx, SHOP, "f1", at(11))
        held = referrals.get(tx, SHOP, "f1")
        assert held is not None
        assert (held.reason, held.opens_at) == ("return window", at(11))
        assert referrals.set_state(tx, SHOP, "f1", "rewarded", "", at(1), ["held"])
        assert not referrals.set_state(tx, SHOP, "f1", "rewarded", "", at(2), ["held"])
        assert not referrals.set_state(tx, SHOP, "f1", "refused", "", at(2), [])
        referrals.open_at(tx, SHOP, "f1", at(40))
        found = referrals.by_order(tx, SHOP, "601")
        assert found is not None
        assert (found.state, found.updated_at, found.code) == ("rewarded", at(1), "AINO-7F3K")
        assert found.opens_at == at(11), "what was given is not given later"
        assert referrals.set_state(tx, SHOP, "f1", "reversed", "refunded", at(3), ("held", "rewarded"))
        assert [each.state for each in referrals.of_advocate(tx, SHOP, AINO)] == ["reversed"]
        assert referrals.by_order(tx, SHOP, "602") is None


def test_links(store: Store) -> None:
    with store.work.transaction() as tx:
        links.put(tx, SHOP, "tok", "preferences", {"email_key": AINO}, NOW)
        links.put(tx, SHOP, "tok", "other", {}, NOW)
        found = links.get(tx, "tok")
        assert links.get(tx, "nope") is None
    assert found == links.LinkRow(SHOP, "tok", "preferences", {"email_key": AINO})


def test_meta(store: Store) -> None:
    with store.work.transaction() as tx:
        assert meta.get(tx, "reconciled") is None
        meta.put(tx, "reconciled", "1", NOW)
        meta.put(tx, "reconciled", "2", at(1))
        assert meta.get(tx, "reconciled") == "2"
