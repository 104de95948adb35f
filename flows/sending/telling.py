"""Messages to the merchant's own people: what a `notify` or `task` says, as a mail or as the text of a chat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from html import escape

from connector.clock import from_text
from connector.config import PersonSettings
from connector.contracts import Message
from connector.errors import Refused
from connector.model import Effect, Run, Shop
from connector.store import links
from connector.store.db import Tx
from flows.care.cases import desk_link
from flows.limits.daytime import zone_of
from flows.render.locales import choose_locale
from flows.render.mime import Letter, build, split_sender
from flows.sending.addressing import derive_token
from flows.sending.composing import Case

NOTIFY = "notify"
"""The kind of effect."""
LINK = "task"
"""The kind of a link that shows a task and lets it be decided."""

_TEXTS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "decide": "Approve or refuse here: {link}",
        "approved": "Without an answer by {time} it counts as approved.",
        "refused": "Without an answer by {time} it counts as refused.",
        "case": "See the case and decide here: {link}",
        "sent_by": "Sent by the flow \u201c{flow}\u201d of {shop}.",
    },
    "fi": {
        "decide": "Hyväksy tai hylkää tästä: {link}",
        "approved": "Jos kukaan ei vastaa {time} mennessä, asia katsotaan hyväksytyksi.",
        "refused": "Jos kukaan ei vastaa {time} mennessä, asia katsotaan hylätyksi.",
        "case": "Katso asia ja päätä tästä: {link}",
        "sent_by": "Lähettäjä: kaupan {shop} viestiketju \u201d{flow}\u201d.",
    },
}


@dataclass(frozen=True, slots=True)
class Told:
    """A message ready to be sent, and its subject. `message.recipient` of a chat is the person's name."""

    message: Message
    subject: str


def compose_note(
    tx: Tx, case: Case, person: PersonSettings, title: str, salt: bytes, base_url: str, now: datetime
) -> Told:
    """What the person reads; a task's link is kept here. `title` is the flow's, where the step has none.

    Raises `Refused` for an address that is none.
    """
    effect, shop = case.effect, case.shop
    key = derive_token(salt, "message", effect.shop_id, effect.id, length=24)
    written = str(effect.request.get("title") or "") or f"{shop.name}: {title}"
    subject = "".join(filter(str.isprintable, written))
    lines = str(effect.request["text"]).strip().split("\n")
    words = _TEXTS[choose_locale(shop.locale, available=("en", "fi")).partition("-")[0]]
    below = [words["sent_by"].format(flow=title, shop=shop.name)]
    link = _link(tx, effect, case.run, salt, base_url, now) if "otherwise" in effect.request else ""
    desk = ""
    if link:
        below.insert(0, words["decide"].format(link=link))
        below.insert(1, words[str(effect.request["otherwise"])].format(time=_deadline(effect, shop)))
    if case_id := case.run.event.get("case"):
        desk = desk_link(tx, salt, base_url, effect.shop_id, case_id, str(effect.request["to"]), now)
        below.insert(0, words["case"].format(link=desk))
    if person.chat:
        content = "\n".join([subject, *lines, *below]).encode()
        return Told(Message(key=key, channel="chat", sender="", recipient=person.name, content=content), subject)
    address = split_sender(person.email)[1]
    letter = Letter(
        key=key,
        sender=case.settings.sender,
        recipient=address,
        recipient_name=person.label if person.label != person.name else "",
        subject=subject,
        text="\n".join([*lines, "", *below, ""]),
        html="".join(f"<p>{_html(line, link, desk)}</p>" for line in (*lines, *below) if line.strip()),
        at=now,
        headers={"Auto-Submitted": "auto-generated"},
    )
    sender = case.settings.sender
    return Told(Message(key=key, channel="email", sender=sender, recipient=address, content=build(letter)), subject)


def _html(line: str, *links: str) -> str:
    text = escape(line)
    for link in map(escape, filter(None, links)):
        text = text.replace(link, f'<a href="{link}">{link}</a>')
    return text


def _deadline(effect: Effect, shop: Shop) -> str:
    at = from_text(str(effect.request["until"])).astimezone(zone_of(shop.timezone))
    return f"{at:%Y-%m-%d %H:%M}"


def _link(tx: Tx, effect: Effect, run: Run, salt: bytes, base_url: str, now: datetime) -> str:
    """An address nobody can guess, for this task and this person alone."""
    who = str(effect.request["to"])
    token = derive_token(salt, "link", effect.shop_id, LINK, effect.id, who)
    data = {"run": run.id, "step": effect.step_id, "who": who}
    links.put(tx, effect.shop_id, token, LINK, data, now)
    return f"{base_url}/p/{LINK}/{token}"


def person_of(case: Case) -> PersonSettings:
    """Whom the effect is for. Raises `Refused` when app.toml has nobody of that name (any more)."""
    name = str(case.effect.request["to"])
    found = case.settings.people.get(name)
    if found is None:
        raise Refused(f"app.toml has no people.{name} for shop '{case.shop.id}' (any more)", provider_code="nobody")
    return found
