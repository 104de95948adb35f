"""Telling the operator what the doctor's quick checks find: by mail or in a chat, each once, and again when solved.

What stands for `wait` is told; what ends is told when it was told of; one and the same thing is told of at most once in
`quiet`, so that something that comes and goes does not fill a phone. Several at once go in one message. Nothing in a
message says who anybody is, because nothing in a trouble does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from html import escape

from connector.app import Kiitos
from connector.clock import to_text
from connector.config.seeing import AlertSettings
from connector.contracts import Accepted, Message
from connector.errors import KiitosError, Refused, Transient
from connector.log import get_log
from connector.store import alerts
from connector.store.alerts import Alert
from connector.watching.doctor import examine_running
from connector.watching.trouble import Level, Trouble
from flows.channels.chat import STYLES, style_of
from flows.render.mime import Letter, build, split_sender
from flows.sending.addressing import derive_token

log = get_log("alerts")
Key = tuple[str, str]
Look = Callable[[], Sequence[Trouble]]


class Alerting:
    """One worker's; `work()` looks once. `look` gives what is wrong now."""

    def __init__(self, kiitos: Kiitos, look: Look | None = None) -> None:
        self._kiitos = kiitos
        self._store = kiitos.store
        self._clock = kiitos.clock
        self._look = look or (lambda: examine_running(kiitos, slow=False))

    @property
    def settings(self) -> AlertSettings:
        return self._kiitos.config.app.seeing.alerts

    def work(self) -> bool:
        """Look, tell what is to be told. False: there is never more to do at once."""
        if not self.settings:
            return False
        now = self._clock.now()
        wrong = {(one.check, one.subject): one for one in self._look()}
        with self._store.work.transaction() as tx:
            known = {(one.check, one.subject): one for one in alerts.all(tx)}
            for key in wrong.keys() - known.keys():
                known[key] = Alert(check=key[0], subject=key[1], since=now)
                alerts.put(tx, known[key])
            for key, alert in list(known.items()):
                known[key] = self._follow(alert, key in wrong, now)
                if known[key] != alert:
                    alerts.put(tx, known[key])
                elif key not in wrong and alert.told_at is None:
                    alerts.drop(tx, alert)  # it was over before anybody had to know
                    del known[key]
        worst = sorted(wrong, key=lambda key: (wrong[key].level is not Level.FAIL, key))
        new = [known[key] for key in worst if self._is_news(known[key], now)]
        over = [one for key, one in sorted(known.items()) if key not in wrong and self._is_over(one, now)]
        if new or over:
            self._tell(new, over, wrong, now)
        return False

    def _follow(self, alert: Alert, stands: bool, now: datetime) -> Alert:
        """The alert after this look: a trouble that came back is the same one while it is not told as solved."""
        if stands:
            return replace(alert, solved_at=None)
        return alert if alert.solved_at or alert.told_at is None else replace(alert, solved_at=now)

    def _is_news(self, alert: Alert, now: datetime) -> bool:
        return alert.told_at is None and now - alert.since >= self.settings.wait

    def _is_over(self, alert: Alert, now: datetime) -> bool:
        """Solved, known to the operator, and long enough ago that it will not be back in a minute."""
        if alert.told_at is None or alert.solved_at is None:
            return False
        return now - alert.solved_at >= self.settings.wait and now - alert.told_at >= self.settings.quiet

    def _tell(self, new: Sequence[Alert], over: Sequence[Alert], wrong: dict[Key, Trouble], now: datetime) -> None:
        """Told when anybody took it; else the next look tells."""
        subject, text = words(new, over, wrong)
        took = [self._mail(subject, text, now), self._chat(subject, text, now)]
        if not any(took):
            log.error("alert_not_told", new=len(new), solved=len(over))
            return
        with self._store.work.transaction() as tx:
            for alert in new:
                alerts.put(tx, replace(alert, told_at=now))
            for alert in over:
                alerts.drop(tx, alert)
        log.warning("alert_told", new=[one.check for one in new], solved=[one.check for one in over])

    def _mail(self, subject: str, text: str, now: datetime) -> bool:
        """Whether every address was written to."""
        settings = self.settings
        if not settings.mail:
            return False
        messages = [self._letter(address, subject, text, now) for address in settings.mail]
        try:
            outcomes = list(self._kiitos.channels.named(settings.channel).send_all(messages))
        except KiitosError as error:
            log.error("alert_mail_failed", code=error.code)
            return False
        return len(outcomes) == len(messages) and all(isinstance(one, Accepted) for one in outcomes)

    def _letter(self, address: str, subject: str, text: str, now: datetime) -> Message:
        key = derive_token(self._kiitos.salt, "alert", address, f"{to_text(now)}|{subject}", length=24)
        letter = Letter(
            key=key,
            sender=self.settings.sender,
            recipient=split_sender(address)[1],
            subject=subject,
            text=text,
            html=f"<pre>{escape(text)}</pre>",
            at=now,
            headers={"Auto-Submitted": "auto-generated"},
        )
        content = build(letter)
        return Message(key=key, channel="email", sender=letter.sender, recipient=letter.recipient, content=content)

    def _chat(self, subject: str, text: str, now: datetime) -> bool:
        settings = self.settings
        if not settings.chat:
            return False
        # Here and not above: a worker at rest does without requests.
        from connector.outside.posting import post

        body, headers = shape(settings.chat, settings.style, subject, text)
        try:
            answer = post(settings.chat, body, headers, now=now, private_addresses=settings.private_addresses)
        except (OSError, Transient, Refused) as error:
            log.error("alert_chat_failed", reason=type(error).__name__)
            return False
        if not 200 <= answer.status < 300:
            log.error("alert_chat_failed", status=answer.status)
        return 200 <= answer.status < 300


def words(new: Sequence[Alert], over: Sequence[Alert], wrong: dict[Key, Trouble]) -> tuple[str, str]:
    """Subject and text of one message."""
    lines: list[str] = []
    for alert in new:
        trouble = wrong[alert.check, alert.subject]
        about = f" {trouble.subject}" if trouble.subject else ""
        lines += [
            f"{trouble.level.upper()} {trouble.check}{about}: {trouble.what}",
            f"  {trouble.why}",
            f"  mend it: {trouble.mend}",
            "",
        ]
    for alert in over:
        about = f" {alert.subject}" if alert.subject else ""
        since = f"since {alert.since:%Y-%m-%d %H:%M} UTC"
        lines += [f"SOLVED {alert.check}{about} (it was wrong {since})", ""]
    first = new[0] if new else over[0]
    more = f" and {len(new) + len(over) - 1} more" if len(new) + len(over) > 1 else ""
    word = "" if new else "solved: "
    return f"Kiitos: {word}{first.check} {first.subject}".rstrip() + more, "\n".join(lines).rstrip() + "\n"


def shape(url: str, style: str, subject: str, text: str) -> tuple[bytes, dict[str, str]]:
    """The body and headers a chat wants. ntfy (https://docs.ntfy.sh/publish/) takes the text itself and a title."""
    chosen = style or ("ntfy" if "ntfy" in url.partition("://")[2].partition("/")[0] else style_of(url))
    if chosen == "ntfy":
        title = subject.encode("ascii", "replace").decode()
        return text.encode(), {"Title": title, "Content-Type": "text/plain; charset=utf-8"}
    body = STYLES[chosen](f"{subject}\n\n{text}")
    return json.dumps(body, ensure_ascii=False).encode(), {"Content-Type": "application/json"}
