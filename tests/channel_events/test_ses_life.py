"""Amazon's road from end to end: the certificate, the confirmation, the event; each as SNS sends it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from connector.app import Kiitos, build, create_app
from connector.clock import ManualClock
from connector.config import parse_config
from connector.contracts import Inbound
from connector.errors import Transient
from connector.outside import posting
from connector.registry import CHANNELS, Registry
from connector.store import channel_events, deliveries, inbox
from connector.store.store import Store
from connector.testing.world import document
from connector.worker import Worker
from connector.working.hearing import EARLY
from flows.channels.memory import Memory
from tests.channel_events import signing
from tests.channel_events.signing import CERTIFICATE_URL, NOW, TOPIC
from tests.journeys.bare import ENVIRON
from webhooks.receiver import receiver_of


class Kept(Memory):
    name: ClassVar[str] = "ses"

    @classmethod
    def from_settings(cls, settings: Any, clock: Any) -> Kept:
        return cls()


class Amazon:
    """What is fetched, and what comes of it: the certificate, a confirmation that may fail first."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.failures = 0

    def fetch(self, url: str, **_: object) -> bytes:
        self.asked.append(url)
        if url == CERTIFICATE_URL:
            return signing.sns_certificate()
        if self.failures:
            self.failures -= 1
            raise Transient("no answer in time")
        return b"<ConfirmSubscriptionResponse/>"


@pytest.fixture
def amazon(monkeypatch: pytest.MonkeyPatch) -> Amazon:
    made = Amazon()
    monkeypatch.setattr(posting, "fetch", made.fetch)
    return made


@pytest.fixture
def kiitos(tmp_path: Path) -> Iterator[Kiitos]:
    found = document(flows={}, fetch_before_send=False)
    found["app"]["base_url"] = "http://localhost"
    found["channels"]["mail"] = {"kind": "ses", "webhook_topics": [TOPIC]}
    registry = Registry(extra={(CHANNELS, "ses"): Kept})
    config = parse_config(found, tmp_path / "app.toml", ENVIRON)
    made = build(config, clock=ManualClock(NOW), store=Store.open("sqlite://:memory:"), registry=registry)
    yield made
    made.close()


@pytest.fixture
def client(kiitos: Kiitos) -> Iterator[Any]:
    app = create_app(kiitos)
    receiver = receiver_of(app)
    receiver.start()
    yield app.test_client()
    receiver.close()


def post(kiitos: Kiitos, client: Any, request: Inbound) -> int:
    path = kiitos.event_urls()["mail"].removeprefix("http://localhost")
    status: int = client.post(path, data=request.body, headers={"x-amz-sns-message-type": "x"}).status_code
    return status


def test_a_topic_is_confirmed_once_its_request_is_kept(kiitos: Kiitos, client: Any, amazon: Amazon) -> None:
    assert post(kiitos, client, signing.sns("", kind="SubscriptionConfirmation")) == 200
    assert amazon.asked == [CERTIFICATE_URL], "nothing is confirmed before it is stored"
    worker = Worker(kiitos)
    worker.drain()
    assert amazon.asked == [CERTIFICATE_URL, signing.confirm_url()]
    assert post(kiitos, client, signing.sns("", kind="SubscriptionConfirmation")) == 200
    worker.drain()
    assert amazon.asked == [CERTIFICATE_URL, signing.confirm_url()], "a repetition is one"


def test_a_confirmation_that_fails_is_tried_again(kiitos: Kiitos, client: Any, amazon: Amazon) -> None:
    amazon.failures = 1
    post(kiitos, client, signing.sns("", kind="SubscriptionConfirmation"))
    worker = Worker(kiitos)
    worker.drain()
    due = worker.next_due()
    assert due is not None
    kiitos.clock.advance(due - kiitos.clock.now())  # type: ignore[attr-defined]
    worker.drain()
    assert amazon.asked.count(signing.confirm_url()) == 2
    with kiitos.store.work.read() as tx:
        assert deliveries.failed(tx) == []


def test_another_s_topic_is_never_asked_about(kiitos: Kiitos, client: Any, amazon: Amazon) -> None:
    forged = signing.sns("", kind="SubscriptionConfirmation", TopicArn="arn:aws:sns:eu-north-1:999999999999:evil")
    assert post(kiitos, client, forged) == 401
    Worker(kiitos).drain()
    assert amazon.asked == []
    with kiitos.store.inbox.read() as tx:
        assert inbox.after(tx, 0, 10) == []


def test_an_event_of_a_topic_is_read(kiitos: Kiitos, client: Any, amazon: Amazon) -> None:
    bounce = {"bounceType": "Permanent", "bouncedRecipients": [{"emailAddress": "a@b.test"}]}
    assert post(kiitos, client, signing.sns({"eventType": "Bounce", "bounce": bounce, "mail": {}})) == 200
    worker = Worker(kiitos)
    worker.drain()
    kiitos.clock.advance(EARLY)  # type: ignore[attr-defined]
    worker.drain()
    with kiitos.store.work.read() as tx:
        rows = channel_events.unmatched(tx, "mail")
    assert [(row.kind, row.bounce) for row in rows] == [("bounced", "hard")]
