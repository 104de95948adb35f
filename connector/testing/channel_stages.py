"""The stages of the channels that ship with Kiitos: providers and a mail server on loopback."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import ClassVar

from connector.contracts import Message
from connector.testing.channels import WAIT, ChannelStage, Trouble
from connector.testing.fakes.providers import GOOD_KEY, FakeProviders, Mishap
from connector.testing.fakes.smtp import MailSink
from flows.render.mime import Letter, build

_AT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
_SENDER = "Aurora Outdoor <orders@aurora.example>"


def letter(key: str, recipient: str) -> Message:
    """A short e-mail of ours."""
    content = build(
        Letter(
            key=key, sender=_SENDER, recipient=recipient, subject=f"Order {key}", text="Hei", html="<p>Hei</p>", at=_AT
        )
    )
    return Message(key=key, channel="email", sender=_SENDER, recipient=recipient, content=content, shop_id="aurora")


class ProviderStage(ChannelStage):
    """One of the five providers with an API."""

    provider: ClassVar[str]
    refusal: ClassVar[Mishap]
    own: ClassVar[Mapping[str, object]] = {}
    required: Sequence[str] = ("api_key",)
    secrets = (GOOD_KEY,)

    def __init__(self) -> None:
        self._providers = FakeProviders()
        self._providers.__enter__()
        self._open = True
        self.settings = {"api_key": GOOD_KEY, "url": self._providers.url, "timeout": 5, "connections": 1, **self.own}

    def taken(self) -> Sequence[str]:
        return [taken.key for taken in self._providers.of(self.provider)]

    def trouble(self, what: Trouble) -> None:
        troubles = {
            Trouble.REFUSES: self.refusal,
            Trouble.BUSY: Mishap(status=429, retry_after=f"{WAIT:g}"),
            Trouble.CUTS: Mishap(after_work=True),
        }
        self._providers.mishaps.append(troubles[what])

    def leave(self) -> None:
        if self._open:
            self._open = False
            self._providers.__exit__()

    def message(self, key: str, recipient: str) -> Message:
        return letter(key, recipient)


_WORDS = f"no mail to aino.one@example.com with {GOOD_KEY}"


class ResendStage(ProviderStage):
    provider = "resend"
    refusal = Mishap(status=422, body={"name": "invalid_attachment", "message": _WORDS})


class PostmarkStage(ProviderStage):
    provider = "postmark"
    refusal = Mishap(status=422, body={"ErrorCode": 411, "Message": _WORDS})


class SendGridStage(ProviderStage):
    provider = "sendgrid"
    refusal = Mishap(status=400, body={"errors": [{"field": "subject", "message": _WORDS}]})


class MailgunStage(ProviderStage):
    provider = "mailgun"
    refusal = Mishap(status=400, body={"message": _WORDS})
    own: ClassVar[Mapping[str, object]] = {"domain": "mg.aurora.example"}
    required = ("api_key", "domain")


class BrevoStage(ProviderStage):
    provider = "brevo"
    refusal = Mishap(status=400, body={"code": "invalid_parameter", "message": _WORDS})


class SmtpStage(ChannelStage):
    """A mail server that takes, refuses and hangs up."""

    required: Sequence[str] = ("host",)
    says_when: ClassVar[bool] = False

    def __init__(self) -> None:
        self._server = MailSink()
        self._server.start()
        self._open = True
        self.settings: Mapping[str, object] = {
            "host": "127.0.0.1",
            "port": self._server.port,
            "tls": "none",
            "timeout": 5,
        }

    def taken(self) -> Sequence[str]:
        return [kept.message_id.strip("<>").partition("@")[0] for kept in self._server.messages]

    def trouble(self, what: Trouble) -> None:
        script = self._server.script
        if what is Trouble.REFUSES:
            script.data_codes.append(554)
        elif what is Trouble.BUSY:
            script.data_codes.append(451)
        else:
            script.drop_after_data += 1

    def leave(self) -> None:
        if self._open:
            self._open = False
            self._server.stop()

    def message(self, key: str, recipient: str) -> Message:
        return letter(key, recipient)


class SesStage(SmtpStage):
    """SES is met over SMTP."""

    required = ()
