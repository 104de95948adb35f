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
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from connector.contracts import Endpoint, Inbound, Verified
from connector.errors import WebhookRejected
from connector.model import Event, Shop
from connector.testing import find_recordings, golden, run_conformance

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


MUTANTS: dict[type[Any], str] = {
    AcceptsEverything: "test_forged_deliveries_are_rejected",
    KnowsOnlyTheNewestSecret: "test_current_and_rotated_secret_are_accepted",
    AcceptsAnEmptySecret: "test_forged_deliveries_are_rejected",
    SignsTheParsedBody: "test_forged_deliveries_are_rejected",
    ComparesText: "test_forged_deliveries_are_rejected",
    TakesTheFirstOfTwoTopics: "test_headers_of_identity_must_be_single",
    IgnoresTheShop: "test_another_shops_delivery_is_not_acted_on",
    HasNoDedupKey: "test_current_and_rotated_secret_are_accepted",
    ReadsTheClock: "test_normalise_is_pure",
    CallsOut: "test_normalise_is_pure",
    KeysByDelivery: "test_event_keys_come_from_the_payload",
    TellsAnEventTwice: "test_event_keys_come_from_the_payload",
    KeepsNumbersAsIds: "test_events_survive_the_codec",
    ActsOnUnknownTopics: "test_an_unknown_topic_means_nothing",
    TrustsTheBody: "test_damaged_bodies_are_events_or_malformed",
    LetsTypeErrorsOut: "test_damaged_bodies_are_events_or_malformed",
    QuotesTheValue: "test_damaged_bodies_are_events_or_malformed",
    DropsTheEmail: "test_golden",
    GivesLocalTimes: "test_events_survive_the_codec",
}


@pytest.fixture
def recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Recordings whose goldens the sound adapter has written."""
    monkeypatch.delenv("KIITOS_UPDATE_GOLDENS", raising=False)
    acme.write_recordings(tmp_path)
    for recording in find_recordings(tmp_path):
        verified = Verified(topic="refund", dedup_key="1")
        recording.expected.write_text(golden(Acme().normalise(verified, recording.body, acme.SHOP)), "utf-8")
    return tmp_path


def test_a_sound_adapter_passes(recordings: Path) -> None:
    assert run_conformance(acme.kit_for(Acme, recordings)) == []


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_broken_adapter_is_caught_by_the_test_meant_for_it(recordings: Path, mutant: type[Any]) -> None:
    failures = run_conformance(acme.kit_for(mutant, recordings))
    assert MUTANTS[mutant] in {failure.partition(":")[0] for failure in failures}


def test_total_is_proved_beyond_the_listed_forgeries(recordings: Path) -> None:
    """An adapter that falls over a hint of which no listed forgery makes anything: only the property finds it."""

    class EncodesAHint(Acme):
        def verify(self, inbound: Inbound, endpoint: Endpoint) -> Any:
            (inbound.one("x-acme-delivery") or "").encode("ascii")
            return super().verify(inbound, endpoint)

    failures = run_conformance(acme.kit_for(EncodesAHint, recordings))
    assert {failure.partition(":")[0] for failure in failures} == {"test_verify_is_total"}


def test_without_recordings_nothing_is_proved(tmp_path: Path) -> None:
    failures = run_conformance(acme.kit_for(Acme, tmp_path))
    assert any(failure.startswith("test_there_are_recordings") for failure in failures)
