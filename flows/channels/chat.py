"""A chat of the merchant's people, written to through its incoming webhook: Slack, Mattermost, Teams, Discord.

What each takes: https://api.slack.com/messaging/webhooks (`text`; Mattermost and Rocket.Chat take the same),
https://discord.com/developers/docs/resources/webhook#execute-webhook (`content`, at most 2000 characters),
https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using (an adaptive card).
None knows a key: a repetition is told twice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

from connector.clock import Clock
from connector.contracts import Accepted, Channel, Message, Outcome, Rejected, Retry, Unknown
from connector.contracts.channel import OnWire
from connector.errors import ConfigError, Refused, Transient, near
from connector.outside.posting import Answer, post

_HOSTS = (
    (re.compile(r"(^|\.)discord(app)?\.com$"), "discord"),
    (re.compile(r"(^|\.)(webhook\.office\.com|logic\.azure\.com|powerplatform\.com)$"), "teams"),
)
_DISCORD_LONGEST = 2000
_KEYS = ("kind", "url", "style", "private_addresses")


def slack(text: str) -> dict[str, Any]:
    """Nothing in it is a mention or a link of Slack's own: what a customer wrote wakes nobody."""
    return {"text": text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "@\u200b")}


def discord(text: str) -> dict[str, Any]:
    """`allowed_mentions` is empty, so that nothing in it is one."""
    return {"content": text[:_DISCORD_LONGEST], "allowed_mentions": {"parse": []}}


def teams(text: str) -> dict[str, Any]:
    """One adaptive card, a block a line. Square brackets are escaped: they would make a link of what somebody wrote."""
    lines = [line.replace("[", "\\[") for line in text.split("\n") if line.strip()]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [{"type": "TextBlock", "text": line, "wrap": True} for line in lines],
    }
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "contentUrl": None, "content": card}]}


STYLES: Mapping[str, Callable[[str], dict[str, Any]]] = {"slack": slack, "teams": teams, "discord": discord}


def style_of(url: str) -> str:
    """The form a chat wants, by its address; Slack's where nothing tells."""
    host = (urlsplit(url).hostname or "").lower()
    return next((style for pattern, style in _HOSTS if pattern.search(host)), "slack")


class Chat(Channel):
    """One chat. A message's content is plain text in UTF-8; its recipient is the person's name in app.toml, because the
    address is a credential and is kept nowhere else."""

    name: ClassVar[str] = "chat"
    medium: ClassVar[str] = "chat"
    marks_wire: ClassVar[bool] = True

    def __init__(self, url: str, style: str, clock: Clock, *, private_addresses: bool = False) -> None:
        self._url = url
        self._shape = STYLES[style or style_of(url)]
        self._clock = clock
        self._private = private_addresses

    @classmethod
    def from_settings(cls, settings: Mapping[str, object], clock: Clock) -> Chat:
        """`url`, and where they are needed `style` and `private_addresses`. Raises `ConfigError`."""
        for key in settings:
            if key not in _KEYS:
                raise ConfigError(f"the chat channel has no such key{near(key, _KEYS)}", where=key)
        style = str(settings.get("style", ""))
        if style and style not in STYLES:
            raise ConfigError(f"no style '{style}'{near(style, STYLES)}", where="style")
        if not settings.get("url"):
            raise ConfigError("the incoming webhook's address is missing", where="url")
        return cls(str(settings["url"]), style, clock, private_addresses=bool(settings.get("private_addresses")))

    def send_all(self, messages: Iterable[Message], on_wire: OnWire | None = None) -> Iterator[Outcome]:
        """One POST a message. After one that nobody answered the rest waits for another time."""
        silent = ""
        for message in messages:
            if silent:
                yield Retry(key=message.key, text=silent)
                continue
            outcome = self._send(message, on_wire)
            silent = outcome.text if isinstance(outcome, Unknown) else ""
            yield outcome

    def _send(self, message: Message, on_wire: OnWire | None) -> Outcome:
        body = json.dumps(self._shape(message.content.decode("utf-8", "replace")), ensure_ascii=False).encode()
        try:
            if on_wire is not None:
                on_wire(message.key)
            answer = post(self._url, body, {}, now=self._clock.now(), private_addresses=self._private)
        except OSError as error:
            return Retry(key=message.key, text=f"not begun ({type(error).__name__})")
        except Transient as error:
            told = error.message
            return Unknown(key=message.key, text=told) if error.maybe_done else Retry(key=message.key, text=told)
        except Refused as error:
            return Rejected(key=message.key, code=error.provider_code or error.code, text=error.message)
        return _outcome(message.key, answer)


def _outcome(key: str, answer: Answer) -> Outcome:
    text = f"the chat answered {answer.status}"
    if 200 <= answer.status < 300:
        return Accepted(key=key)
    if answer.status in (408, 425, 429) or answer.status >= 500:
        return Retry(key=key, text=text, after=answer.retry_after)
    return Rejected(key=key, code=str(answer.status), text=text)
