"""Telling merchants what only they can put right: one e-mail through the shop's own channel, once an occasion.

A notice is asked for in the transaction that finds the trouble (`connector.standing`) and sent later, outside any. One
that was sent when the worker died, before that was recorded, is sent again under the same Message-ID.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cache
from html import escape
from importlib.resources import files

from connector.app import Kiitos
from connector.clock import to_text
from connector.config import ShopSettings
from connector.contracts import Accepted, Message, Outcome, Rejected, Retry, Unknown
from connector.errors import KiitosError, Refused
from connector.gathering import export_token
from connector.log import get_log
from connector.store import links, notices
from connector.store.notices import Notice
from connector.store.privacy import GATHERED
from flows.care import low_scores
from flows.care.low_scores import NOTICE as LOW_SCORE
from flows.care.survey_results import LINK as RESULTS
from flows.render.locales import choose_locale, direction
from flows.render.mime import Letter, build, split_sender
from flows.sending.addressing import derive_token
from flows.sending.afterwards import REPLY
from flows.sending.answering import SAID, Answered, answered

log = get_log("notices")

BATCH = 20
AGAIN = timedelta(hours=1)
MOST = 48
"""Attempts, then the notice stays unsent; `kiitos shops list` shows the trouble all the same."""

SUPPORT = "support"
"""Of `[people]`: who hears of unhappy customers."""
LANGUAGES = ("en", "fi", "sv", "de", "ja", "ar")


@cache
def texts(language: str) -> Mapping[str, Sequence[str]]:
    """Subject, then paragraphs, by kind. A kind that is about one flow has its name behind a `/`."""
    text = files("connector").joinpath("notice_texts").joinpath(f"{language}.json").read_text(encoding="utf-8")
    found: Mapping[str, Sequence[str]] = json.loads(text)
    return found


class Notices:
    """Sends what is due. One a worker."""

    def __init__(self, kiitos: Kiitos) -> None:
        self._kiitos = kiitos
        self._store = kiitos.store
        self._clock = kiitos.clock

    def tell(self) -> int:
        """Send the notices that are due; how many were looked at."""
        now = self._clock.now()
        with self._store.work.read() as tx:
            waiting = notices.due(tx, now, BATCH)
        for notice in waiting:
            with self._store.work.transaction() as tx:
                mine = notices.claim(tx, notice, now, now + AGAIN)
            if mine:
                self._tell_one(notice)
        return len(waiting)

    def _tell_one(self, notice: Notice) -> None:
        if not self._kiitos.catalog.knows(notice.shop_id):
            return self._settle(notice, "failed", "the shop is not configured any more")
        settings = self._kiitos.catalog.settings(notice.shop_id)
        try:
            message = self._message(notice, settings)
            outcome = next(iter(self._kiitos.channel(settings).send_all([message])), None)
        except KiitosError as error:
            outcome = Rejected(key=notice.key, code=error.code, text=error.message)
        except Exception as error:
            log.exception("channel_failed", error, shop_id=notice.shop_id)
            outcome = None
        return self._judge(notice, outcome)

    def _judge(self, notice: Notice, outcome: Outcome | None) -> None:
        match outcome:
            case Accepted() | Unknown():
                # Told once: what may have arrived is not repeated, the state is shown in the commands as well.
                self._settle(notice, "sent", "")
            case Rejected(code=code):
                self._settle(notice, "failed", code)
            case Retry() | None if notice.attempts + 1 >= MOST:
                self._settle(notice, "failed", "the mail server does not take it")
            case _:
                log.warning("notice_put_off", shop_id=notice.shop_id, kind=notice.kind)

    def _settle(self, notice: Notice, status: str, reason: str) -> None:
        with self._store.work.transaction() as tx:
            notices.settle(tx, notice, status, self._clock.now(), reason)
        log.info("notice_settled", shop_id=notice.shop_id, kind=notice.kind, status=status, reason=reason)

    def _message(self, notice: Notice, settings: ShopSettings) -> Message:
        """Raises `Refused` when the shop has no address to write to."""
        recipient = recipient_of(settings, notice.kind)
        answered = self._answered(notice) if notice.kind in (REPLY, LOW_SCORE) else None
        subject, *paragraphs = self._texts(notice, settings, answered)
        key = derive_token(self._kiitos.salt, "notice", notice.shop_id, notice.key, length=24)
        letter = Letter(
            key=key,
            sender=settings.sender,
            recipient=recipient,
            subject=subject,
            text="\n\n".join(paragraphs) + "\n",
            html=_html(paragraphs, _language_of(settings)),
            at=self._clock.now(),
            reply_to=answered.reply_to if answered else None,
            headers={"Auto-Submitted": "auto-generated"},
        )
        return Message(key=key, channel="email", sender=settings.sender, recipient=recipient, content=build(letter))

    def _answered(self, notice: Notice) -> Answered:
        """What somebody wrote back, or answered to a survey. Raises `Refused` when they were forgotten meanwhile, or
        nobody has to hear of it any more."""
        with self._store.work.read() as tx:
            find = low_scores.told if notice.kind == LOW_SCORE else answered
            found = find(tx, notice.shop_id, notice.about)
        if found is None:
            raise Refused("what was answered is not kept any more", provider_code="gone")
        return found

    def _texts(self, notice: Notice, settings: ShopSettings, reply: Answered | None = None) -> list[str]:
        kind, _, flow = notice.kind.partition("/")
        values = {
            "flow": flow,
            "shop": settings.shop.name,
            "domain": settings.shop.domain,
            "app": "Kiitos",
            "link": self._link(notice),
            **({"subject": reply.subject, "said": SAID, "who": reply.who} if reply else {}),
        }
        told = [part.format(**values) for part in texts(_language_of(settings))[kind]]
        return [reply.said if reply and part == SAID else part for part in told]

    def _link(self, notice: Notice) -> str:
        base = self._kiitos.config.app.base_url
        if notice.kind == LOW_SCORE:
            return self._results_page(notice)
        if notice.kind != GATHERED:
            return base
        return f"{base}/p/data/{export_token(self._kiitos.salt, notice.shop_id, notice.about)}"

    def _results_page(self, notice: Notice) -> str:
        """The shop's page of low scores, for as long as this one may wait; the same address when it is told again."""
        until = notice.created_at + self._kiitos.catalog.settings(notice.shop_id).surveys.pause
        token = derive_token(self._kiitos.salt, "link", notice.shop_id, RESULTS, notice.key)
        with self._store.work.transaction() as tx:
            data = {"until": to_text(until), "who": SUPPORT}
            links.put(tx, notice.shop_id, token, RESULTS, data, self._clock.now())
        return f"{self._kiitos.config.app.base_url.rstrip('/')}/p/results/{token}"


def _language_of(settings: ShopSettings) -> str:
    return choose_locale(settings.shop.locale, available=LANGUAGES).partition("-")[0]


def _html(paragraphs: Sequence[str], language: str) -> str:
    body = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs)
    return f'<div lang="{language}" dir="{direction(language)}">{body}</div>'


def recipient_of(settings: ShopSettings, kind: str = "") -> str:
    """Where a shop is written to: its support address, else where its customers' answers go; of an unhappy customer
    `[people.support]` hears, where it has an address. Raises `Refused`."""
    support = settings.people.get(SUPPORT) if kind == LOW_SCORE else None
    for text in (support.email if support else "", settings.shop.support_email, settings.reply_to, settings.sender):
        if text:
            return split_sender(text)[1]
    raise Refused("the shop has no address to write to", provider_code="no_address")
