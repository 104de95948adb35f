"""The conformance kit: what every platform adapter must prove, before anybody's shop depends on it.

Subclass it in a test module, name the headers of your platform, and point it at your recordings:

    class TestAcme(PlatformConformance):
        recordings = Path(__file__).parent / "recordings"
        shop = Shop(id="shop-1", client_id="c", platform="acme", domain="acme.test", name="Acme")
        signature_header = "x-acme-signature"
        topic_header = "x-acme-topic"
        shop_header = "x-acme-shop"
        delivery_header = "x-acme-delivery"

        def make_adapter(self):
            return Acme()

`run_conformance(TestAcme)` does the same without pytest and gives the list of failures; tests/kit uses it to show that
adapters broken on purpose are caught.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

from connector import codec
from connector.contracts import Handshake, PlatformAdapter, Verified
from connector.errors import KiitosError, MalformedPayload, WebhookRejected
from connector.model import Event, EventKind
from connector.testing.capabilities import CapabilityChecks
from connector.testing.mutation import SENTINEL, damaged
from connector.testing.privacy import PrivacyChecks
from connector.testing.recording import Recording, find_recordings, golden, golden_update_allowed
from connector.testing.snapshots import SnapshotChecks
from connector.testing.subject import OLD_SECRET, SECRET, with_field

_RECHECK = EventKind.RESOURCE_RECHECK
_HOSTILE = ("\ud800", "\x00", "é", "9" * 400, "1e999", "NaN")
"""Texts over which a careless `encode`, `int` or `float` falls."""


class PlatformConformance(CapabilityChecks, SnapshotChecks, PrivacyChecks):
    """Base of an adapter's conformance tests; its attributes are those of `Subject`."""

    # -- recordings ------------------------------------------------------------------------------------------------

    def test_there_are_recordings_of_signed_deliveries(self) -> None:
        found = find_recordings(self.recordings)
        assert any(not recording.handshake for recording in found), f"no recordings below {self.recordings.name}"

    # -- signature -------------------------------------------------------------------------------------------------

    def test_current_and_rotated_secret_are_accepted(self, recording: Recording) -> None:
        if recording.handshake:
            found = self.make_adapter().verify(recording.inbound(), self.endpoint(SECRET))
            assert isinstance(found, Handshake), f"{recording.name}: expected a handshake"
            return
        for secret in (SECRET, OLD_SECRET):
            inbound = self.signed(recording, secret=secret)
            found = self.make_adapter().verify(inbound, self.endpoint(SECRET, OLD_SECRET))
            assert isinstance(found, Verified), f"{recording.name}: no Verified"
            assert found.topic == recording.topic, f"{recording.name}: topic {found.topic!r}"
            assert found.dedup_key, f"{recording.name}: an empty dedup_key would make all deliveries one"

    def test_forged_deliveries_are_rejected(self, recording: Recording) -> None:
        if recording.handshake:
            return
        good, body, name = self.signed(recording), recording.body, self.signature_header
        signature = good.headers[name][0]
        self.refused(good, OLD_SECRET, why="another secret's signature")
        self.refused(good, why="a delivery although the endpoint has no secret")
        self.refused(self.signed(recording, secret=b""), b"", why="a signature under an empty secret")
        self.refused(recording.inbound({name: None}), SECRET, why="a delivery without a signature")
        for wrong in (
            "",
            " ",
            "=",
            signature[:-4],
            signature[:20],
            signature + "A",
            signature.swapcase(),
            "é" * 44,
            "\x00",
        ):
            self.refused(recording.inbound({name: wrong}), SECRET, why=f"the signature {wrong!r}")
        self.refused(recording.inbound({name: [signature, signature]}), SECRET, why="two signatures")
        for position in {0, len(body) // 2, len(body) - 1}:
            forged = body[:position] + bytes([body[position] ^ 1]) + body[position + 1 :]
            self.refused(replace(good, body=forged), SECRET, why=f"a body changed at byte {position}")
        self.refused(replace(good, body=body + b" "), SECRET, why="a body with a byte appended")
        self.refused(replace(good, body=b""), SECRET, why="an emptied body")

    def test_headers_of_identity_must_be_single(self, recording: Recording) -> None:
        if recording.handshake:
            return
        good = self.signed(recording)
        for name in self.repeat_refused:
            if name in good.headers:
                twice = {**good.headers, name: [*good.headers[name], *good.headers[name]]}
                self.refused(replace(good, headers=twice), SECRET, why=f"{name} given twice")

    def test_another_shops_delivery_is_not_acted_on(self, recording: Recording) -> None:
        if recording.handshake or not (self.shop_header or self.shop_field):
            return
        if self.shop_field:
            inbound = self.signed(recording, body=with_field(recording.body, self.shop_field, self.foreign_shop))
        else:
            inbound = self.signed(recording, {self.shop_header: self.foreign_shop})
        found: Verified | Handshake | None
        reason = ""
        try:
            found = self.make_adapter().verify(inbound, self.endpoint(SECRET))
        except WebhookRejected as error:
            reason = error.reason
            found = None
        if found is None:
            assert reason == "shop", f"{recording.name}: reason {reason!r}, expected 'shop'"
            return
        assert isinstance(found, Verified), f"{recording.name}: another shop's delivery taken for a handshake"
        assert found.quarantine, f"{recording.name}: another shop's delivery was accepted"

    def test_verify_is_total(self) -> None:
        """No bytes and no header make `verify` raise anything but WebhookRejected, signed or not.

        Each header gets each hostile text alone, which no run leaves to chance; then Hypothesis mixes.
        """
        from hypothesis import HealthCheck, given, settings
        from hypothesis import strategies as st

        samples = find_recordings(self.recordings)
        names = sorted({name.lower() for sample in samples for name in sample.headers} | {self.signature_header})
        text = st.text(max_size=40) | st.sampled_from(_HOSTILE)
        headers = st.dictionaries(st.sampled_from(names), st.lists(text, max_size=2), max_size=len(names))
        json_like = st.sampled_from(
            [b"{", b"{}", b"[" * 2000, b'{"a":' * 2000, b"{\xff}", b'{"id":1e999}', b"\xef\xbb\xbf{}"]
        )
        bodies = st.binary(max_size=120) | json_like
        adapter = self.make_adapter()

        def check(sample: Recording, headers: dict[str, list[str]], body: bytes, signed: bool) -> None:
            base = self.signed(sample, body=body) if signed else sample.inbound(body=body)
            inbound = replace(base, headers={**base.headers, **headers})
            if signed:
                inbound = replace(
                    inbound, headers={**inbound.headers, self.signature_header: [self.sign(body, SECRET)]}
                )
            try:
                found = adapter.verify(inbound, self.endpoint(SECRET))
                if isinstance(found, Verified):
                    adapter.normalise(found, body, self.shop)
            except (WebhookRejected, MalformedPayload):
                return

        for sample in samples:
            for name, hostile in product(names, _HOSTILE):
                check(sample, {name: [hostile]}, sample.body, signed=name != self.signature_header)
        bounds = settings(
            max_examples=self.max_examples, deadline=None, database=None, suppress_health_check=list(HealthCheck)
        )
        bounds(given(sample=st.sampled_from(samples), headers=headers, body=bodies, signed=st.booleans())(check))()

    # -- purity and identity ---------------------------------------------------------------------------------------

    def test_normalise_is_pure(self, recording: Recording) -> None:
        if recording.handshake:
            return
        used = self.make_adapter()
        with no_network():
            first = self.events(recording, used)
            second = self.events(recording, used)
            fresh = self.events(recording)
        assert first == second, f"{recording.name}: the same delivery gave other events the second time"
        assert first == fresh, f"{recording.name}: a fresh adapter gave other events"

    def test_event_keys_come_from_the_payload(self, recording: Recording) -> None:
        if recording.handshake:
            return
        keys = [event.key for event in self.events(recording)]
        assert len(set(keys)) == len(keys), f"{recording.name}: two events of one delivery share a key: {sorted(keys)}"
        assert all(keys), f"{recording.name}: an event without a key"
        other = "00000000-another-delivery"
        if self.delivery_header:
            again = self.events(recording, replaced={self.delivery_header: other})
        elif self.delivery_field:
            again = self.events(replace(recording, body=with_field(recording.body, self.delivery_field, other)))
        else:
            return
        # A recheck is no fact but a question, which each delivery may ask anew.
        facts = [[event.key for event in told if event.kind != _RECHECK] for told in (self.events(recording), again)]
        assert facts[0] == facts[1], f"{recording.name}: keys change with the delivery id"

    # -- values ----------------------------------------------------------------------------------------------------

    def test_events_survive_the_codec(self, recording: Recording) -> None:
        """A round trip is a type check too: an int for an id, a float for money or text for a time fails here."""
        if recording.handshake:
            return
        for event in self.events(recording):
            try:
                back = codec.decode(codec.encode(event), Event)
            except (KiitosError, TypeError, ValueError) as error:
                raise AssertionError(f"{recording.name}: {event.kind} does not survive the codec: {error}") from error
            assert back == event, f"{recording.name}: {event.kind} changed in the codec"
            assert event.at.utcoffset() == timedelta(0), f"{recording.name}: {event.kind} has a time that is not UTC"

    def test_golden(self, recording: Recording) -> None:
        if recording.handshake:
            return
        text = golden(self.events(recording))
        if golden_update_allowed():
            recording.expected.write_text(text, "utf-8")
        assert recording.expected.exists(), f"{recording.name}: expected.json is missing"
        expected = recording.expected.read_text("utf-8")
        assert json.loads(text) == json.loads(expected), f"{recording.name}: events differ from expected.json"

    # -- tolerance -------------------------------------------------------------------------------------------------

    def test_an_unknown_topic_means_nothing(self, recording: Recording) -> None:
        if recording.handshake:
            return
        adapter = self.make_adapter()
        verified = replace(self.verified(recording, adapter), topic=self.unknown_topic)
        assert list(adapter.normalise(verified, recording.body, self.shop)) == []

    def test_damaged_bodies_are_events_or_malformed(self, recording: Recording) -> None:
        if recording.handshake:
            return
        adapter = self.make_adapter()
        verified = self.verified(recording, adapter)
        for what, body in damaged(recording.body):
            self._read_damaged(adapter, verified, body, f"{recording.name}: {what}")
        for what, body in (
            ("empty", b""),
            ("cut", recording.body[:-2]),
            ("not JSON", b"\xff\xfe"),
            ("a list", b"[]"),
            ("text", b'"x"'),
        ):
            self._read_damaged(adapter, verified, body, f"{recording.name}: body {what}")

    def _read_damaged(self, adapter: PlatformAdapter, verified: Verified, body: bytes, what: str) -> None:
        try:
            events = adapter.normalise(verified, body, self.shop)
        except MalformedPayload as error:
            if SENTINEL in str(error):
                raise AssertionError(f"{what}: the error quotes a value of the body") from None
            return
        except Exception as error:
            raise AssertionError(f"{what}: {type(error).__name__} instead of MalformedPayload") from error
        for event in events:
            try:
                codec.decode(codec.encode(event), Event)
            except (KiitosError, TypeError, ValueError) as error:
                raise AssertionError(f"{what}: gave an event that does not survive the codec") from error


@contextmanager
def no_network() -> Iterator[None]:
    """Within it every new socket raises: what is pure needs none."""

    def refuse(*args: object, **options: object) -> Any:
        raise AssertionError("verify and normalise must not open a socket")

    original = socket.socket
    socket.socket = refuse  # type: ignore[misc, assignment]
    try:
        yield
    finally:
        socket.socket = original  # type: ignore[misc]


def run_conformance(kit: type[PlatformConformance], only: Collection[str] = ()) -> list[str]:
    """Run the kit without pytest, or the checks named; one line a failure (`test_golden: ...`), empty when all holds.

    Any exception of a test counts as a failure of the adapter: that is what pytest would say.
    """
    suite = kit()
    failures: list[str] = []
    for name in sorted(dir(suite)):
        if not name.startswith("test_") or (only and name not in only):
            continue
        test: Callable[..., None] = getattr(suite, name)
        wanted = test.__code__.co_varnames[: test.__code__.co_argcount]
        cases: list[tuple[Any, ...]] = [()]
        if "recording" in wanted:
            cases = [(recording,) for recording in find_recordings(kit.recordings)]
        elif "tape" in wanted:
            cases = [(tape,) for tape in kit.tapes()]
        for case in cases:
            try:
                test(*case)
            except Exception as error:  # noqa: BLE001 - the report must name every failing test, whatever it raised
                failures.append(f"{name}: {type(error).__name__}: {error}")
    return failures
