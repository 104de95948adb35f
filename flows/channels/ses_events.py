"""What Amazon SES tells of messages, through SNS topics
(https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html,
https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html).

`webhook_topics` of the channel's table lists the ARNs of the topics that may tell: SNS signs for everybody's topics, so
the signature alone says nothing. The certificate is fetched from SNS's own hosts only; a subscription of an allowed
topic is confirmed once its request is verified and stored.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from connector.codec import decode
from connector.contracts import Handshake, Inbound, Verified
from connector.contracts.channel_events import (
    BounceKind,
    ChannelEvent,
    ChannelEventKind,
    ChannelEvents,
    ConfirmsSubscription,
    EventEndpoint,
    Fetch,
)
from connector.contracts.event_reading import (
    bounce_of,
    enhanced_code,
    iso,
    json_table,
    key_among,
    list_of,
    table_of,
    text_of,
    time_of,
)
from connector.errors import KiitosError, MalformedPayload, WebhookRejected

NOTIFICATION, CONFIRMATION = "Notification", "SubscriptionConfirmation"
_HOST = re.compile(r"sns\.[a-z]{2}(-[a-z]+)+-\d\.amazonaws\.com(\.cn)?")
_CERTIFICATE = re.compile(r"/SimpleNotificationService-[0-9a-f]{16,64}\.pem")
# What is signed, in this order; a notification's subject only where it has one.
_SIGNED = {
    NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    CONFIRMATION: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
_KINDS = {
    "send": ChannelEventKind.ACCEPTED,
    "delivery": ChannelEventKind.DELIVERED,
    "deliverydelay": ChannelEventKind.DEFERRED,
    "bounce": ChannelEventKind.BOUNCED,
    "complaint": ChannelEventKind.COMPLAINED,
    "reject": ChannelEventKind.FAILED,
    "rendering failure": ChannelEventKind.FAILED,
    "open": ChannelEventKind.OPENED,
    "click": ChannelEventKind.CLICKED,
    "subscription": ChannelEventKind.UNSUBSCRIBED,
}
_BOUNCES = {"permanent": BounceKind.HARD, "transient": BounceKind.SOFT}
_WHO = {"bounce": "bouncedRecipients", "complaint": "complainedRecipients", "deliverydelay": "delayedRecipients"}
_SECTIONS = {"deliverydelay": "deliveryDelay", "rendering failure": "failure"}


class SesEvents(ChannelEvents, ConfirmsSubscription):
    name: ClassVar[str] = "ses"

    def verify(self, inbound: Inbound, endpoint: EventEndpoint, now: datetime, fetch: Fetch) -> Verified | Handshake:
        try:
            told = json_table(inbound.body)
        except MalformedPayload as error:
            raise WebhookRejected("no JSON object") from error
        kind, topic = told.get("Type"), told.get("TopicArn")
        fields = _SIGNED.get(kind) if isinstance(kind, str) else None
        if fields is None or not isinstance(topic, str) or topic not in _topics(endpoint.settings):
            raise WebhookRejected("no message of a topic in webhook_topics")
        url, message_id = told.get("SigningCertURL"), told.get("MessageId")
        if not isinstance(url, str) or not _is_certificate(url) or not isinstance(message_id, str) or not message_id:
            raise WebhookRejected("the certificate is not SNS's")
        try:
            certificate = fetch(url)
        except KiitosError as error:
            raise WebhookRejected("no certificate") from error
        _check(told, fields, certificate, now)
        return Verified(topic="confirmation" if kind == CONFIRMATION else "events", dedup_key=message_id)

    def confirmation(self, verified: Verified, body: bytes) -> str | None:
        if verified.topic != "confirmation":
            return None
        told = json_table(body)
        url = text_of_url(told.get("SubscribeURL"))
        parts = urlsplit(url)
        asked = parse_qs(parts.query)
        right = asked.get("Action") == ["ConfirmSubscription"] and asked.get("TopicArn") == [told.get("TopicArn")]
        if not _is_sns(url) or not right:
            raise MalformedPayload("is no confirmation at SNS", topic=CONFIRMATION, path="SubscribeURL")
        return url

    def read(self, verified: Verified, body: bytes) -> Sequence[ChannelEvent]:
        told = json_table(body)
        if verified.topic == "confirmation" or told.get("Type") != NOTIFICATION:
            return ()
        message = told.get("Message")
        if not isinstance(message, str) or not message.lstrip().startswith("{"):
            return ()  # SES says "Successfully validated SNS topic" in plain words
        return list(_events(decode(message, dict[str, Any]), str(told.get("MessageId")), iso(told.get("Timestamp"))))


def text_of_url(value: object) -> str:
    return value if isinstance(value, str) and value.isascii() else ""


def _topics(settings: Mapping[str, object]) -> frozenset[str]:
    given = settings.get("webhook_topics") or ()
    listed = given.split(",") if isinstance(given, str) else given if isinstance(given, list | tuple) else ()
    return frozenset(str(each).strip() for each in listed if str(each).strip())


def _is_sns(url: str) -> bool:
    """Whether an address is SNS's own: https, no port, no user, no look-alike."""
    if not url.isascii() or any(char.isspace() or char in "\\@#" for char in url):
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme == "https" and _HOST.fullmatch(parts.netloc) is not None
    except ValueError:
        return False


def _is_certificate(url: str) -> bool:
    return _is_sns(url) and "?" not in url and _CERTIFICATE.fullmatch(urlsplit(url).path) is not None


def _check(told: Mapping[str, Any], fields: Sequence[str], certificate: bytes, now: datetime) -> None:
    """Raises `WebhookRejected` unless the certificate is in force and signed these fields. Version 2 is SHA-256,
    version 1 (the default of old topics) SHA-1."""
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm

    hashes: dict[object, HashAlgorithm] = {"1": SHA1(), "2": SHA256()}  # noqa: S303 - what SNS signs with
    version, parts = told.get("SignatureVersion"), []
    for field in fields:
        value = told.get(field)
        if value is None and field == "Subject":
            continue
        if not isinstance(value, str):
            raise WebhookRejected("a signed field is missing")
        parts.append(f"{field}\n{value}\n")
    if not isinstance(version, str) or version not in hashes:
        raise WebhookRejected("signature version")
    try:
        found = x509.load_pem_x509_certificate(certificate)
        key = found.public_key()
        signature = base64.b64decode(text_of_url(told.get("Signature")), validate=True)
        if not isinstance(key, rsa.RSAPublicKey):
            raise WebhookRejected("the certificate has no RSA key")
        if not found.not_valid_before_utc <= now <= found.not_valid_after_utc:
            raise WebhookRejected("the certificate is not in force")
        key.verify(signature, "".join(parts).encode("utf-8", "replace"), padding.PKCS1v15(), hashes[version])
    except (ValueError, binascii.Error, UnsupportedAlgorithm) as error:
        raise WebhookRejected("certificate or signature cannot be read") from error
    except InvalidSignature as error:
        raise WebhookRejected("signature") from error


def _events(told: Mapping[str, Any], message_id: str, sent_at: datetime | None) -> Iterator[ChannelEvent]:
    """One event a recipient: SES tells of several in one message where one went to several."""
    raw = text_of(told.get("eventType")) or text_of(told.get("notificationType"))
    word = raw.lower()
    section = table_of(told.get(_SECTIONS.get(word, word)))
    mail = table_of(told.get("mail"))
    who = list_of(section.get(_WHO[word])) if word in _WHO else list_of(section.get("recipients"))
    key = key_among(_keys(mail))
    kind = _KINDS.get(word, ChannelEventKind.OTHER)
    if word == "subscription" and not _opted_out(section):
        kind = ChannelEventKind.OTHER
    at = time_of(iso(section.get("timestamp")), sent_at, iso(mail.get("timestamp")), topic=raw)
    for place, each in enumerate(who or list_of(mail.get("destination")) or [""]):
        person = table_of(each)
        said = " ".join(text_of(person.get(name)) for name in ("status", "diagnosticCode"))
        machine = bool(section.get("isBot")) if word in ("open", "click") else False
        yield ChannelEvent(
            id=f"{message_id}/{place}",
            kind=kind,
            at=at,
            raw_kind=" ".join(
                filter(None, (raw, text_of(section.get("bounceType")), text_of(section.get("bounceSubType"))))
            ),
            key=key,
            provider_id=text_of(mail.get("messageId")),
            recipient=text_of(person.get("emailAddress")) or text_of(each),
            bounce=_bounce(section, said) if word == "bounce" else None,
            code=enhanced_code(said) or text_of(section.get("reason")),
            url=text_of(section.get("link")),
            by_machine=machine,
        )


def _keys(mail: Mapping[str, Any]) -> list[object]:
    """Our key among the message's tags, its metadata header or its own Message-ID, which SES replaces on the way."""
    tags = [each for values in table_of(mail.get("tags")).values() for each in list_of(values)]
    headers = [table_of(each).get("value") for each in list_of(mail.get("headers"))]
    return [*tags, table_of(mail.get("commonHeaders")).get("messageId"), *headers]


def _bounce(section: Mapping[str, Any], said: str) -> BounceKind:
    if text_of(section.get("bounceSubType")) in ("Suppressed", "OnAccountSuppressionList"):
        return BounceKind.HARD
    if text_of(section.get("bounceSubType")) == "ContentRejected":
        return BounceKind.BLOCK
    word = text_of(section.get("bounceType")).lower()
    return bounce_of(said, otherwise=_BOUNCES.get(word, BounceKind.OTHER))


def _opted_out(section: Mapping[str, Any]) -> bool:
    preferences = table_of(section.get("newTopicPreferences"))
    return preferences.get("unsubscribeAll") is True
