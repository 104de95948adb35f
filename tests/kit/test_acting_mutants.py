"""Capabilities that act on a store, broken on purpose in the built-in adapters: the kit's tapes catch each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from connector.contracts import (
    Access,
    CodesRef,
    CodesRequest,
    ConsentRequest,
    GiftCardRef,
    GiftCardRequest,
    MetaRequest,
    StoreCreditRef,
    StoreCreditRequest,
)
from connector.errors import AuthExpired, KiitosError, Refused, Transient
from connector.testing import PlatformConformance, conformance_of
from connector.testing.exchanges import Tape
from platforms.shopify import Shopify, grants
from platforms.shopify.client import AdminClient
from platforms.woocommerce import WooCommerce


class CreditsWithoutLooking(Shopify):
    """An attempt after an unknown outcome takes itself for the first."""

    def grant_store_credit(self, access: Access, request: StoreCreditRequest) -> StoreCreditRef:
        return super().grant_store_credit(access, replace(request, again=False))


class TakesSilenceForNothing(Shopify):
    """An answer without its fields is read as "no credit yet"."""

    def _find_credit(self, access: Access, request: StoreCreditRequest) -> StoreCreditRef | None:
        try:
            return super()._find_credit(access, request)
        except Transient:
            return None


class MakesACodeOfItsOwn(Shopify):
    """A taken code is no reason to look: another one is made."""

    def issue_gift_card(self, access: Access, request: GiftCardRequest) -> GiftCardRef:
        try:
            made = self._client.mutate(access, "gift_card_create", {"card": {"code": request.code}})
        except Refused:
            made = self._client.mutate(access, "gift_card_create", {"card": {"code": request.code + "2"}})
        return GiftCardRef(code=request.code, platform_id=grants.made_id(made.get("giftCard"), "gift_card_create"))


class AddsCodesBlindly(Shopify):
    def create_codes(self, access: Access, request: CodesRequest) -> CodesRef:
        rule = self.create_discount(access, request.rule)
        refused = self._add(access, rule.platform_id, list(request.codes))
        return CodesRef(platform_id=rule.platform_id, codes=tuple(request.codes), refused=tuple(refused))


class WritesConsentBlindly(Shopify):
    def write_consent(self, access: Access, request: ConsentRequest) -> bool:
        consent = {"marketingState": "UNSUBSCRIBED"}
        found = {"customerId": "gid://shopify/Customer/8100000000038", "emailMarketingConsent": consent}
        self._client.mutate(access, "email_consent_update", {"input": found})
        return True


class EchoesForEver(WooCommerce):
    """Meta that is there is written again, and each write comes back as a webhook."""

    def write_meta(self, access: Access, request: MetaRequest) -> None:
        path = f"{request.owner}s/{request.owner_id}"
        self._api(access).get(path)
        self._api(access).put(path, {"meta_data": [{"key": f"_kiitos_{request.key}", "value": request.value}]})


class MailsTwice(WooCommerce):
    def note_customer(self, access: Access, order_id: str, note: str, *, key: str) -> None:
        self._api(access).post(f"orders/{order_id}/notes", {"note": note, "customer_note": True})


class SendsAgain(WooCommerce):
    def resend_mail(self, access: Access, order_id: str, name: str, *, since: Any) -> None:
        super().resend_mail(access, order_id, name, since=None)


class GoesOnWhenBusy(Shopify):
    """A 429 is a refusal for good."""

    def _refusing(self, error: KiitosError) -> KiitosError:
        return Refused(error.message) if isinstance(error, Transient) else error

    def grant_store_credit(self, access: Access, request: StoreCreditRequest) -> StoreCreditRef:
        try:
            return super().grant_store_credit(access, request)
        except Transient as error:
            raise self._refusing(error) from error


class HidesAMissingLogin(Shopify):
    def tag_customer(self, access: Access, customer_id: str, tag: str) -> None:
        try:
            super().tag_customer(access, customer_id, tag)
        except AuthExpired as error:
            raise Transient(error.message) from error


class SaysNothingWasDone(Shopify):
    """A lost answer to a write is called certain."""

    def issue_gift_card(self, access: Access, request: GiftCardRequest) -> GiftCardRef:
        try:
            return super().issue_gift_card(access, request)
        except Transient as error:
            raise Transient(error.message, retry_after=error.retry_after) from error


class TurnsInACircle(Shopify):
    """A page whose next page is itself is read for ever."""

    def _pages(
        self, access: Access, name: str, variables: Mapping[str, Any], *path: str
    ) -> Iterator[Mapping[str, Any] | None]:
        while True:
            found: Any = self._client.query(access, name, {**variables, "after": None})
            for part in path:
                found = (found or {}).get(part)
            yield found
            if not ((found or {}).get("nodes")):
                return


CASES: Sequence[tuple[type[Shopify] | type[WooCommerce], str, str]] = (
    (CreditsWithoutLooking, "grant_store_credit/granted_again", "test_a_repeated_call_does_nothing_twice"),
    (TakesSilenceForNothing, "grant_store_credit/granted_again", "test_doubt_never_gives_money_twice"),
    (MakesACodeOfItsOwn, "issue_gift_card/issued_again", "test_a_repeated_call_does_nothing_twice"),
    (AddsCodesBlindly, "create_codes/made_again", "test_a_repeated_call_does_nothing_twice"),
    (WritesConsentBlindly, "write_consent/withdrawn_again", "test_a_repeated_call_does_nothing_twice"),
    (EchoesForEver, "write_meta/written_again", "test_a_repeated_call_does_nothing_twice"),
    (MailsTwice, "note_customer/mailed_again", "test_a_repeated_call_does_nothing_twice"),
    (SendsAgain, "resend_mail/sent_again", "test_a_repeated_call_does_nothing_twice"),
    (GoesOnWhenBusy, "grant_store_credit/granted", "test_a_busy_platform_is_transient"),
    (HidesAMissingLogin, "tag_customer/tagged", "test_refused_credentials_are_auth_expired"),
    (SaysNothingWasDone, "issue_gift_card/issued", "test_a_lost_answer_to_a_write_may_be_done"),
    (TurnsInACircle, "write_shipment_event/written", "test_no_call_turns_in_a_circle"),
)


def kit(adapter: type[Shopify] | type[WooCommerce]) -> type[PlatformConformance]:
    """The kit as it stands for the platform, with another adapter in it."""
    standing = conformance_of("shopify" if issubclass(adapter, Shopify) else "woocommerce")

    class Broken(standing):  # type: ignore[misc, valid-type]
        def make_adapter(self) -> Any:
            return adapter()

    return Broken


def the_tape(suite: type[PlatformConformance], name: str) -> Tape:
    return next(tape for tape in suite.tapes() if tape.name == name)


@pytest.mark.parametrize(("adapter", "tape", "test"), CASES, ids=[case[0].__name__ for case in CASES])
def test_a_broken_capability_is_caught(adapter: type[Shopify] | type[WooCommerce], tape: str, test: str) -> None:
    suite = kit(adapter)
    check: Callable[[Tape], None] = getattr(suite(), test)
    with pytest.raises(AssertionError):
        check(the_tape(suite, tape))


@pytest.mark.parametrize(("adapter", "tape", "test"), CASES, ids=[case[0].__name__ for case in CASES])
def test_the_adapter_as_it_is_passes_the_same_check(
    adapter: type[Shopify] | type[WooCommerce], tape: str, test: str
) -> None:
    suite = kit(Shopify if issubclass(adapter, Shopify) else WooCommerce)
    getattr(suite(), test)(the_tape(suite, tape))
    assert the_tape(suite, tape).exchanges


def test_the_client_is_the_real_one() -> None:
    assert isinstance(Shopify(AdminClient())._client, AdminClient)
