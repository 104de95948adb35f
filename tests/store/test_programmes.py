from __future__ import annotations

from connector.store import Store, links, meta, referrals, reviews
from tests.store.examples import NOW, SHOP, at

AINO, MIKKO = "aino@example.test", "mikko@example.test"


def test_reviews(store: Store) -> None:
    with store.work.transaction() as tx:
        review_id = reviews.save(tx, SHOP, "501", "p1", 4, "Good", "Warm mug", "Aino", AINO, NOW)
        assert reviews.save(tx, SHOP, "501", "p1", 5, "Better", "Warm mug!", "Aino", AINO, at(1)) == review_id
        assert reviews.save(tx, SHOP, "501", "p2", 3, "", "", "Aino", None, at(1)) != review_id
        first, second = reviews.of_order(tx, SHOP, "501")
        assert (first.id, first.rating, first.title, first.at, first.platform_id) == (review_id, 5, "Better", NOW, "")
        assert second.email_key is None
        reviews.mark_published(tx, SHOP, review_id, "c77")
        reviews.save(tx, SHOP, "501", "p1", 1, "Worse", "", "Aino", AINO, at(2))
        published = reviews.of_order(tx, SHOP, "501")[0]
        assert (published.platform_id, published.rating) == ("c77", 5)
        assert reviews.of_order(tx, "shop-other", "501") == []


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
        assert referrals.put(tx, SHOP, "f1", "AINO-7F3K", AINO, MIKKO, "601", "held", "return window", NOW)
        assert not referrals.put(tx, SHOP, "f1", "AINO-7F3K", AINO, MIKKO, "601", "held", "", NOW)
        assert referrals.set_state(tx, SHOP, "f1", "rewarded", "", at(1), ["held"])
        assert not referrals.set_state(tx, SHOP, "f1", "rewarded", "", at(2), ["held"])
        assert not referrals.set_state(tx, SHOP, "f1", "refused", "", at(2), [])
        found = referrals.by_order(tx, SHOP, "601")
        assert found is not None
        assert (found.state, found.updated_at, found.code) == ("rewarded", at(1), "AINO-7F3K")
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
