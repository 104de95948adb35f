"""The conformance kit is tested with adapters broken on purpose: each must be caught, by the test meant for it."""

from __future__ import annotations

import base64
import hmac
import importlib.util
import itertools
import json
import socket
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from connector.contracts import Access, DiscountRef, Endpoint, Inbound, Verified, WritesOrders
from connector.errors import AuthExpired, Refused, Transient, WebhookRejected
from connector.model import Event, Shop
from connector.testing import find_recordings, golden, run_conformance
from connector.testing.privacy import findings
from tests.kit.test_acting_mutants import CASES

_SPEC = importlib.util.spec_from_file_location("kit_acme", Path(__file__).with_name("acme.py"))
assert _SPEC
assert _SPEC.loader
acme = importlib.util.module_from_spec(_SPEC)
sys.modules["kit_acme"] = acme
_SPEC.loader.exec_module(acme)
Acme: Any = acme.Acme


class AcceptsEverything(Acme):
    def check(self, inbound: Inbound, endpoint: Endpoint) -> None:
        return


class KnowsOnlyTheNewestSecret(Acme):
    def check(self, inbound: Inbound, endpoint: Endpoint) -> None:
        super().check(inbound, Endpoint(key="k", platform="acme", secrets=endpoint.secrets[:1]))


class AcceptsAnEmptySecret(Acme):
    def check(self, inbound: Inbound, endpoint: Endpoint) -> None:
        if b"" in endpoint.secrets:
            return
        super().check(inbound, endpoint)


class SignsTheParsedBody(Acme):
    """Verifies the body as it would write it itself, so that a byte more or less goes unnoticed."""

    def check(self, inbound: Inbound, endpoint: Endpoint) -> None:
        try:
            body = json.dumps(json.loads(inbound.body)).encode()
        except ValueError:
            raise WebhookRejected("shape") from None
        super().check(Inbound(headers=inbound.headers, body=body), endpoint)


class ComparesText(Acme):
    """`compare_digest` raises TypeError for text that is not ASCII: a 500 instead of a 401."""

    def check(self, inbound: Inbound, endpoint: Endpoint) -> None:
        given = inbound.one("x-acme-signature") or ""
        for secret in endpoint.secrets:
            good = base64.b64encode(hmac.digest(secret, inbound.body, "sha256")).decode()
            if secret and hmac.compare_digest(good, given):
                return
        raise WebhookRejected("signature")


class TakesTheFirstOfTwoTopics(Acme):
    def verify(self, inbound: Inbound, endpoint: Endpoint) -> Any:
        headers = {**inbound.headers, "x-acme-topic": list(inbound.headers.get("x-acme-topic", ()))[:1]}
        return super().verify(Inbound(headers=headers, body=inbound.body), endpoint)


class IgnoresTheShop(Acme):
    def verify(self, inbound: Inbound, endpoint: Endpoint) -> Any:
        return super().verify(inbound, Endpoint(key="k", platform="acme", secrets=endpoint.secrets))


class HasNoDedupKey(Acme):
    def verify(self, inbound: Inbound, endpoint: Endpoint) -> Any:
        found = super().verify(inbound, endpoint)
        return Verified(topic=found.topic, dedup_key="")


class ReadsTheClock(Acme):
    ticks = itertools.count()

    def time(self, value: str) -> datetime:
        return super().time(value).replace(microsecond=next(self.ticks) % 1_000_000)


class CallsOut(Acme):
    def read(self, body: bytes) -> Any:
        socket.socket().close()
        return super().read(body)


class KeysByDelivery(Acme):
    def key(self, payload: Any, verified: Verified) -> str:
        return f"refund/{payload.id}/{verified.dedup_key}"


class TellsAnEventTwice(Acme):
    def normalise(self, verified: Verified, body: bytes, shop: Shop) -> Sequence[Event]:
        return [*super().normalise(verified, body, shop)] * 2


class KeepsNumbersAsIds(Acme):
    def refund_id(self, payload: Any, verified: Verified) -> Any:
        return payload.id


class ActsOnUnknownTopics(Acme):
    def normalise(self, verified: Verified, body: bytes, shop: Shop) -> Sequence[Event]:
        return super().normalise(Verified(topic="refund", dedup_key=verified.dedup_key), body, shop)


class TrustsTheBody(Acme):
    def read(self, body: bytes) -> Any:
        return acme.Body(**{name: json.loads(body).get(name) for name in ("id", "at", "email", "total")})


class LetsTypeErrorsOut(Acme):
    def amount(self, payload: Any) -> Any:
        return acme.Money.parse(payload.total or "", "EUR")


class QuotesTheValue(Acme):
    def time(self, value: str) -> datetime:
        try:
            return super().time(value)
        except acme.MalformedPayload:
            raise acme.MalformedPayload(f"'{value}' is not a time", path="at") from None


class DropsTheEmail(Acme):
    def read(self, body: bytes) -> Any:
        payload = super().read(body)
        payload.email = None
        return payload


class GivesLocalTimes(Acme):
    def time(self, value: str) -> datetime:
        super().time(value)
        return datetime.fromisoformat(value)


# -- snapshots, ids and keys ---------------------------------------------------------------------------------------


class TakesThePlacingForTheChange(Acme):
    """Of two snapshots of an order nobody can say which is newer."""

    def changed(self, payload: Any) -> datetime:
        return self.time(payload.at)


class KeysAllOrdersAlike(Acme):
    def order_key(self, payload: Any) -> str:
        return "refund/7"


class WritesNoIdForUnknown(Acme):
    def refund_id(self, payload: Any, verified: Verified) -> str:
        return ""


# -- the API -------------------------------------------------------------------------------------------------------


class OffersWhatItNeverShows(Acme, WritesOrders):
    def add_tag(self, access: Access, order_id: str, tag: str) -> None:
        return

    def add_note(self, access: Access, order_id: str, note: str, *, key: str) -> None:
        return


class MakesAFreshCode(Acme):
    """The code is taken, so it makes another: two codes for one reward."""

    def adopt(self, access: Access, request: Any) -> Any:
        return self.create_discount(access, replace(request, code=f"{request.code}-2"))


class NeverLooks(Acme):
    """A code that an earlier attempt of ours made is refused for good."""

    def adopt(self, access: Access, request: Any) -> Any:
        raise Refused("taken", provider_code="TAKEN")


class AdoptsAnybodysCode(Acme):
    def adopt(self, access: Access, request: Any) -> Any:
        found = self.ask(access, "GET", f"/codes/{request.code}")
        return DiscountRef(code=request.code, platform_id=self.made_id(found), adopted=True)


class TriesWritesAgain(Acme):
    """No answer came, so it asks once more: the first may have been carried out."""

    def make(self, access: Access, request: Any) -> Any:
        try:
            return super().make(access, request)
        except Transient:
            return super().make(access, request)


class KnowsThatALostAnswerWasNo(Acme):
    def ask(self, access: Access, method: str, path: str, **options: Any) -> Any:
        try:
            return super().ask(access, method, path, **options)
        except Transient as error:
            raise Transient(error.message, retry_after=error.retry_after) from None


class ForgetsHowLongToWait(Acme):
    def ask(self, access: Access, method: str, path: str, **options: Any) -> Any:
        try:
            return super().ask(access, method, path, **options)
        except Transient as error:
            raise Transient(error.message, maybe_done=error.maybe_done) from None


class TakesARefusedKeyForARefusal(Acme):
    def ask(self, access: Access, method: str, path: str, **options: Any) -> Any:
        try:
            return super().ask(access, method, path, **options)
        except AuthExpired as error:
            raise Refused(error.message, provider_code="401") from None


class TriesARefusalForEver(Acme):
    def ask(self, access: Access, method: str, path: str, **options: Any) -> Any:
        try:
            return super().ask(access, method, path, **options)
        except Refused as error:
            if error.provider_code == "409":
                raise
            raise Transient(error.message) from None


class LetsRequestsErrorsOut(Acme):
    def ask(self, access: Access, method: str, path: str, **options: Any) -> Any:
        headers = {"X-Acme-Token": access.secrets["token"]}
        answer = requests.request(method, f"{access.base_url}{path}", timeout=5, headers=headers, **options)
        answer.raise_for_status()
        return self.parsed(answer, wrote=False)


class TrustsTheAnswer(Acme):
    def made_id(self, answer: Any) -> str:
        return str(int(answer["id"]))


class FollowsEveryNextPage(Acme):
    def goes_on(self, page: int, following: object) -> bool:
        return isinstance(following, int)


class QuotesItsCredentials(Acme):
    def ask(self, access: Access, method: str, path: str, **options: Any) -> Any:
        try:
            return super().ask(access, method, path, **options)
        except AuthExpired:
            raise AuthExpired(f"the token {access.secrets['token']} was refused") from None


class AsksMoreThanItNeeds(Acme):
    def make(self, access: Access, request: Any) -> Any:
        self.ask(access, "GET", "/shop")
        return super().make(access, request)


TOTAL = "test_verify_is_total"
FORGED = "test_forged_deliveries_are_rejected"
SECRETS = "test_current_and_rotated_secret_are_accepted"
DAMAGED = "test_damaged_bodies_are_events_or_malformed"
KEYS = "test_event_keys_come_from_the_payload"
RECORDED = "test_recorded_calls_give_the_recorded_result"
LOST = "test_a_lost_answer_to_a_write_may_be_done"

MUTANTS: dict[type[Any], tuple[str, str]] = {
    AcceptsEverything: (FORGED, "accepted another secret's signature"),
    KnowsOnlyTheNewestSecret: (SECRETS, "WebhookRejected"),
    AcceptsAnEmptySecret: (FORGED, "accepted a signature under an empty secret"),
    SignsTheParsedBody: (FORGED, "accepted a body with a byte appended"),
    ComparesText: (FORGED, "TypeError"),
    TakesTheFirstOfTwoTopics: ("test_headers_of_identity_must_be_single", "x-acme-topic given twice"),
    IgnoresTheShop: ("test_another_shops_delivery_is_not_acted_on", "another shop's delivery was accepted"),
    HasNoDedupKey: (SECRETS, "an empty dedup_key"),
    ReadsTheClock: ("test_normalise_is_pure", "other events"),
    CallsOut: ("test_normalise_is_pure", "must not open a socket"),
    KeysByDelivery: (KEYS, "keys change with the delivery id"),
    TellsAnEventTwice: (KEYS, "share a key"),
    KeepsNumbersAsIds: ("test_events_survive_the_codec", "does not survive the codec"),
    ActsOnUnknownTopics: ("test_an_unknown_topic_means_nothing", ""),
    TrustsTheBody: (DAMAGED, "does not survive the codec"),
    LetsTypeErrorsOut: (DAMAGED, "total became null: TypeError"),
    QuotesTheValue: (DAMAGED, "the error quotes a value of the body"),
    DropsTheEmail: ("test_golden", "events differ from expected.json"),
    GivesLocalTimes: ("test_events_survive_the_codec", "a time that is not UTC"),
    TakesThePlacingForTheChange: ("test_the_newest_snapshot_of_an_order_wins", "no time of change in the body"),
    KeysAllOrdersAlike: ("test_a_key_names_one_event", "key 'refund/7' is order.created of order/9"),
    WritesNoIdForUnknown: ("test_values_are_whole", "empty"),
    OffersWhatItNeverShows: ("test_every_capability_is_shown_by_recorded_http", "add_tag: no recorded HTTP shows it"),
    MakesAFreshCode: ("test_a_repeated_call_does_nothing_twice", "POST /codes was asked, the recording has GET"),
    NeverLooks: ("test_a_repeated_call_does_nothing_twice", "made_again: raised Refused"),
    AdoptsAnybodysCode: (RECORDED, "create_discount/taken: no Refused was raised"),
    TriesWritesAgain: (LOST, "a write, was sent again"),
    KnowsThatALostAnswerWasNo: (LOST, "a write, is not maybe_done"),
    ForgetsHowLongToWait: ("test_a_busy_platform_is_transient", "retry_after is None"),
    TakesARefusedKeyForARefusal: ("test_refused_credentials_are_auth_expired", "became Refused"),
    TriesARefusalForEver: ("test_a_refused_request_is_refused", "became Transient"),
    LetsRequestsErrorsOut: ("test_a_busy_platform_is_transient", "HTTPError instead of one of our errors"),
    TrustsTheAnswer: ("test_strange_answers_are_our_errors", "id became null: TypeError instead of one of our errors"),
    FollowsEveryNextPage: ("test_no_call_turns_in_a_circle", "still asking after 60 equal answers"),
    QuotesItsCredentials: ("test_refused_credentials_are_auth_expired", "tells the credential token"),
    AsksMoreThanItNeeds: (RECORDED, "GET /shop was asked, the recording has POST /codes"),
}


@pytest.fixture
def recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Recordings whose goldens the sound adapter has written, and tapes."""
    monkeypatch.delenv("KIITOS_UPDATE_GOLDENS", raising=False)
    acme.write_recordings(tmp_path / "recordings")
    acme.write_tapes(tmp_path / "exchanges")
    for recording in find_recordings(tmp_path / "recordings"):
        verified = Verified(topic=recording.topic, dedup_key="1")
        recording.expected.write_text(golden(Acme().normalise(verified, recording.body, acme.SHOP)), "utf-8")
    return tmp_path


def test_a_sound_adapter_passes(recordings: Path) -> None:
    assert run_conformance(acme.kit_for(Acme, recordings)) == []


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_broken_adapter_is_caught_by_the_test_meant_for_it(recordings: Path, mutant: type[Any]) -> None:
    test, words = MUTANTS[mutant]
    failures = run_conformance(acme.kit_for(mutant, recordings), only=[test])
    assert any(failure.startswith(f"{test}: ") and words in failure for failure in failures), failures


def test_every_check_of_the_kit_has_an_adapter_that_only_it_was_meant_for() -> None:
    """A check without a planted fault could be empty. Totality and the recordings have tests of their own below, and
    what only acting meets has its adapters in test_acting_mutants."""
    checks = {name for name in dir(acme.kit_for(Acme, Path())) if name.startswith("test_")}
    others = {TOTAL, "test_there_are_recordings_of_signed_deliveries", PRIVACY}
    acting = {test for _, _, test in CASES}
    assert checks == {test for test, _ in MUTANTS.values()} | others | acting


PRIVACY = "test_recordings_hold_invented_people_and_no_secret"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"email": "matti@firma-oy.fi"}', "an e-mail address that is not under an example domain"),
        ('{"url": "https://firma-oy.fi/tilaus"}', "neither an example nor the platform's"),
        ('{"ip": "91.152.10.20"}', "an IP address outside the documentation networks"),
        ('{"phone": "+358 40 718 2934"}', "a telephone number that could be somebody's"),
        ('{"note": "shpat_0123456789abcdef0123456789abcdef"}', "an access token of Shopify"),
        (f'{{"key": "ck_{"0a" * 20}"}}', "an API key of WooCommerce"),
        ('{"headers": {"Authorization": "x"}}', "the header Authorization"),
        ('{"headers": {"X-Acme-Signature": "c2lnbmVk"}}', "a signature (the kit signs with a secret of its own)"),
        ('{"a": 1,\n "jwt": "eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.SflKxwRJSMeKKF2QT4"}', "line 2: a JSON web token"),
    ],
)
def test_a_recording_of_somebody_is_caught(recordings: Path, text: str, what: str) -> None:
    (recordings / "exchanges" / "notes.txt").write_text(text)
    failures = run_conformance(acme.kit_for(Acme, recordings), only=[PRIVACY])
    assert len(failures) == 1
    assert what in failures[0]
    assert not any(value in failures[0] for value in ("matti", "718", "shpat_", "91.152"))


@pytest.mark.parametrize(
    "text",
    [
        '{"email": "Aino.M@mail.example.com", "url": "https://kauppa.test/x", "ip": "203.0.113.7", "v": "11.0.1"}',
        '{"phone": "+358 50 000 1234", "us": "+1 202-555-0142", "at": "2026-11-22T08:00:00+02:00", "n": "1.2.3.4.5"}',
        '{"http": "http://127.0.0.1:8080/x", "words": "Bearer of good news", "order_key": "wc_order_93dtr98h6bcfn"}',
    ],
)
def test_invented_people_pass(text: str) -> None:
    assert list(findings(text)) == []


def test_the_platforms_own_domains_may_be_named() -> None:
    text = '{"url": "https://x.acme.com/y", "at": "a@acme.com"}'
    assert list(findings(text, ["acme.com"])) == []
    assert len(list(findings(text, ["cme.com"]))) == 2


def test_total_is_proved_beyond_the_listed_forgeries(recordings: Path) -> None:
    """An adapter that falls over a hint of which no listed forgery makes anything: only the property finds it."""

    class EncodesAHint(Acme):
        def verify(self, inbound: Inbound, endpoint: Endpoint) -> Any:
            (inbound.one("x-acme-delivery") or "").encode("ascii")
            return super().verify(inbound, endpoint)

    kit = acme.kit_for(EncodesAHint, recordings)
    kit.max_examples = 1  # found without luck
    failures = run_conformance(kit)
    assert {failure.partition(":")[0] for failure in failures} == {"test_verify_is_total"}


def test_without_recordings_nothing_is_proved(tmp_path: Path) -> None:
    failures = run_conformance(acme.kit_for(Acme, tmp_path))
    assert any(failure.startswith("test_there_are_recordings") for failure in failures)
