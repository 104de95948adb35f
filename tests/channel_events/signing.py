"""Requests as each provider signs them, with keys made here."""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from connector.contracts import Inbound
from connector.contracts.channel_events import ChannelEvents, EventEndpoint, Fetch
from connector.errors import Transient
from connector.outside.signing import read_secret
from flows.channels.brevo_events import BrevoEvents
from flows.channels.mailgun_events import MailgunEvents
from flows.channels.postmark_events import PostmarkEvents
from flows.channels.resend_events import ResendEvents
from flows.channels.sendgrid_events import SendGridEvents
from flows.channels.ses_events import SesEvents

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
URL = "https://kiitos.example/hooks/channel.mail/k"
RESEND_SECRET = "whsec_" + base64.b64encode(b"resend secret of 24 bytes").decode()
MAILGUN_SECRET = "mailgun-signing-key"
USER, PASSWORD, TOKEN = "kiitos", "open sesame", "bearer-token-of-brevo"
TOPIC = "arn:aws:sns:eu-north-1:123456789012:ses-events"
CERTIFICATE_URL = "https://sns.eu-north-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123.pem"
KEY = "0123456789abcdefghjkmnpq"


@functools.cache
def sendgrid_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@functools.cache
def sns_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@functools.cache
def sns_certificate() -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    key = sns_key()
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(NOW - timedelta(days=30))
        .not_valid_after(NOW + timedelta(days=30))
        .sign(key, SHA256())
    )
    return made.public_bytes(Encoding.PEM)


def public_key() -> str:
    spki = sendgrid_key().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(spki).decode()


def fetch_certificate(url: str) -> bytes:
    assert url == CERTIFICATE_URL
    return sns_certificate()


def no_certificate(url: str) -> bytes:
    raise Transient("not here yet")


def body_of(payload: Any) -> bytes:
    return json.dumps(payload).encode()


def resend(payload: Any, *, at: datetime = NOW, name: str = "msg_1", secret: str = RESEND_SECRET) -> Inbound:
    body, stamp = body_of(payload), str(int(at.timestamp()))
    digest = hmac.digest(read_secret(secret), f"{name}.{stamp}.".encode() + body, hashlib.sha256)
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return Inbound({"svix-id": [name], "svix-timestamp": [stamp], "svix-signature": [f"v1,AAAA {signature}"]}, body)


def sendgrid(payload: Any, *, at: datetime = NOW, key: ec.EllipticCurvePrivateKey | None = None) -> Inbound:
    body, stamp = body_of(payload), str(int(at.timestamp()))
    signature = (key or sendgrid_key()).sign(stamp.encode() + body, ec.ECDSA(SHA256()))
    prefix = "x-twilio-email-event-webhook-"
    return Inbound({f"{prefix}signature": [base64.b64encode(signature).decode()], f"{prefix}timestamp": [stamp]}, body)


def mailgun(
    payload: Mapping[str, Any], *, at: datetime = NOW, token: str = "token-1", secret: str = MAILGUN_SECRET
) -> Inbound:
    stamp = str(int(at.timestamp()))
    signature = hmac.digest(secret.encode(), f"{stamp}{token}".encode(), hashlib.sha256).hex()
    signed = {"timestamp": stamp, "token": token, "signature": signature}
    return Inbound({}, body_of({**payload, "signature": signed}))


def basic(payload: Any, *, user: str = USER, password: str = PASSWORD) -> Inbound:
    given = base64.b64encode(f"{user}:{password}".encode()).decode()
    return Inbound({"authorization": [f"Basic {given}"]}, body_of(payload))


def bearer(payload: Any, *, token: str = TOKEN) -> Inbound:
    return Inbound({"authorization": [f"Bearer {token}"]}, body_of(payload))


def sns(message: Any, *, version: str = "2", kind: str = "Notification", name: str = "m-1", **changed: Any) -> Inbound:
    told = {
        "Type": kind,
        "MessageId": name,
        "TopicArn": TOPIC,
        "Message": message if isinstance(message, str) else json.dumps(message),
        "Timestamp": "2026-11-23T09:00:00.000Z",
        "SignatureVersion": version,
        "SigningCertURL": CERTIFICATE_URL,
    }
    fields = ["Message", "MessageId", "Timestamp", "TopicArn", "Type"]
    if kind != "Notification":
        told |= {"Token": "t" * 64, "SubscribeURL": confirm_url()}
        fields = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    told |= changed
    if "Subject" in told:
        fields.insert(2, "Subject")
    signed = "".join(f"{field}\n{told[field]}\n" for field in fields).encode()
    digest = SHA1() if version == "1" else SHA256()
    told["Signature"] = base64.b64encode(sns_key().sign(signed, padding.PKCS1v15(), digest)).decode()
    return Inbound({"content-type": ["text/plain; charset=UTF-8"]}, body_of(told))


def confirm_url(topic: str = TOPIC) -> str:
    return f"https://sns.eu-north-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={topic}&Token={'t' * 64}"


@dataclass(frozen=True)
class Provider:
    """One provider: its reader, the channel's table, and a request of it that holds."""

    events: ChannelEvents
    settings: Mapping[str, object]
    good: Inbound
    fetch: Fetch = no_certificate

    @property
    def endpoint(self) -> EventEndpoint:
        return EventEndpoint(url=URL, settings=self.settings)


def providers() -> dict[str, Provider]:
    one = {"event-data": {"event": "delivered", "id": "e1", "timestamp": NOW.timestamp()}}
    basically = {"webhook_user": USER, "webhook_password": PASSWORD}
    return {
        "resend": Provider(
            ResendEvents(), {"webhook_secret": RESEND_SECRET}, resend({"type": "email.sent", "data": {}})
        ),
        "sendgrid": Provider(SendGridEvents(), {"webhook_public_key": public_key()}, sendgrid([{"event": "open"}])),
        "mailgun": Provider(MailgunEvents(), {"webhook_secret": MAILGUN_SECRET}, mailgun(one)),
        "postmark": Provider(PostmarkEvents(), basically, basic({"RecordType": "Delivery"})),
        "brevo": Provider(BrevoEvents(), {"webhook_token": TOKEN}, bearer({"event": "delivered"})),
        "ses": Provider(SesEvents(), {"webhook_topics": [TOPIC]}, sns({"eventType": "Send"}), fetch_certificate),
    }
