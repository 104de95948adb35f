"""Telling merchants what only they can put right: one e-mail through the shop's own channel, once an occasion.

A notice is asked for in the transaction that finds the trouble (`connector.standing`) and sent later, outside any. One
that was sent when the worker died, before that was recorded, is sent again under the same Message-ID.
"""

from __future__ import annotations

from datetime import timedelta
from html import escape

from connector.app import Kiitos
from connector.config import ShopSettings
from connector.contracts import Accepted, Message, Outcome, Rejected, Retry, Unknown
from connector.errors import KiitosError, Refused
from connector.gathering import export_token
from connector.log import get_log
from connector.standing import FLOW_HELD, FLOW_PAUSED, RECONNECT
from connector.store import notices
from connector.store.notices import Notice
from connector.store.privacy import GATHERED
from flows.addressing import derive_token
from flows.afterwards import REPLY
from flows.answering import SAID, Answered, answered
from flows.render.locales import choose_locale
from flows.render.mime import Letter, build, split_sender

log = get_log("notices")

BATCH = 20
AGAIN = timedelta(hours=1)
MOST = 48
"""Attempts, then the notice stays unsent; `kiitos shops list` shows the trouble all the same."""

_EN = """{shop}: please connect the store to {app} again

{app} can no longer reach {shop} ({domain}): the store refuses the credentials it once gave.

Order confirmations and delivery updates go on. Discount codes, review requests, referrals and whatever else has to ask
the store first are held. They go on by themselves once the store is connected again.

What to do: open {app} from the store's admin, or connect the store at {link} as you did the first time.

You get this message once. Until then {app} tries again every hour."""

_FI = """{shop}: yhdistä kauppa uudelleen palveluun {app}

{app} ei enää pääse kauppaan {shop} ({domain}): kauppa ei hyväksy tunnuksia, jotka se on antanut.

Tilausvahvistukset ja toimitusviestit lähtevät edelleen. Alennuskoodit, arvostelupyynnöt, suosittelut ja muu, mikä
vaatii yhteyden kauppaan, odottaa. Kaikki jatkuu itsestään, kun kauppa on yhdistetty.

Tee näin: avaa {app} kaupan hallinnasta tai yhdistä kauppa osoitteessa {link} kuten ensimmäisellä kerralla.

Saat tämän viestin kerran. Siihen asti {app} yrittää uudelleen tunnin välein."""

_GATHERED_EN = """{shop}: the data a customer asked for is ready

A customer of {shop} ({domain}) asked what is known of them. {app} has gathered what it holds: messages, orders as it
saw them, reviews, consents.

Fetch it here: {link}

The link is for you alone and works for 30 days. The file is personal data: hand it to the customer, then delete it."""

_GATHERED_FI = """{shop}: asiakkaan pyytämät tiedot ovat valmiina

Kaupan {shop} ({domain}) asiakas on pyytänyt nähdä, mitä hänestä tiedetään. {app} on koonnut omat tietonsa: viestit,
tilaukset sellaisina kuin ne on nähty, arvostelut ja suostumukset.

Nouda ne tästä: {link}

Linkki on vain sinulle ja toimii 30 päivää. Tiedosto sisältää henkilötietoja: anna se asiakkaalle ja poista se
sitten."""

_HELD_EN = """{shop}: messages of the flow {flow} wait for your word

The flow {flow} of {shop} has reached a limit: its messages of one day, its first share of customers, or it is paused.

What exceeds the limit is held. Nothing is lost, and nothing of it goes out by itself. Order messages are not affected.

What to do: look with `kiitos flows held`, let them go with `kiitos flows release`, or ask whoever runs {app} for you.

You get this message once a day at most."""

_HELD_FI = """{shop}: viestiketjun {flow} viestit odottavat lupaasi

Kaupan {shop} viestiketju {flow} on tullut rajalle: päivän viestimäärä tai ensimmäisten asiakkaiden osuus on täynnä, tai
ketju on pysäytetty.

Rajan ylittävät viestit odottavat. Mitään ei katoa, eikä mitään lähde itsestään. Tilausviesteihin tämä ei vaikuta.

Tee näin: katso komennolla `kiitos flows held`, päästä viestit komennolla `kiitos flows release` tai kysy siltä, joka
hoitaa palvelua {app} puolestasi.

Saat tämän viestin enintään kerran päivässä."""

_PAUSED_EN = """{shop}: the flow {flow} was paused

More customers than usual said no to messages of the flow {flow} of {shop}: they opted out or complained.

{app} has paused the flow. Its messages are held until you decide; order messages go on.

What to do: read what the flow says and to whom. `kiitos flows held` shows why it was paused, `kiitos flows resume` lets
it go on."""

_PAUSED_FI = """{shop}: viestiketju {flow} pysäytettiin

Tavallista useampi asiakas sanoi ei kaupan {shop} viestiketjun {flow} viesteille: perui tilauksen tai teki valituksen.

{app} pysäytti ketjun. Sen viestit odottavat päätöstäsi; tilausviestit lähtevät edelleen.

Tee näin: lue, mitä ketju sanoo ja kenelle. `kiitos flows held` kertoo syyn, `kiitos flows resume` jatkaa ketjua."""

_REPLY_EN = """{shop}: a customer answered a message

Somebody answered the message “{subject}” of {shop}. What they wrote:

{said}

Answer this mail and it goes to them, where they have an e-mail address: {who}."""

_REPLY_FI = """{shop}: asiakas vastasi viestiin

Kaupan {shop} viestiin ”{subject}” tuli vastaus. Asiakas kirjoitti:

{said}

Vastaa tähän viestiin, niin vastaus menee asiakkaalle, jos hänellä on sähköpostiosoite: {who}."""

TEXTS = {
    (RECONNECT, "en"): _EN,
    (RECONNECT, "fi"): _FI,
    (GATHERED, "en"): _GATHERED_EN,
    (GATHERED, "fi"): _GATHERED_FI,
    (FLOW_HELD, "en"): _HELD_EN,
    (FLOW_HELD, "fi"): _HELD_FI,
    (FLOW_PAUSED, "en"): _PAUSED_EN,
    (FLOW_PAUSED, "fi"): _PAUSED_FI,
    (REPLY, "en"): _REPLY_EN,
    (REPLY, "fi"): _REPLY_FI,
}
"""Subject, then paragraphs, by kind and language. A kind that is about one flow has its name behind a `/`."""


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
        recipient = recipient_of(settings)
        answered = self._answered(notice) if notice.kind == REPLY else None
        subject, *paragraphs = self._texts(notice, settings, answered)
        key = derive_token(self._kiitos.salt, "notice", notice.shop_id, notice.key, length=24)
        letter = Letter(
            key=key,
            sender=settings.sender,
            recipient=recipient,
            subject=subject,
            text="\n\n".join(paragraphs) + "\n",
            html="".join(f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs),
            at=self._clock.now(),
            reply_to=answered.reply_to if answered else None,
            headers={"Auto-Submitted": "auto-generated"},
        )
        return Message(key=key, channel="email", sender=settings.sender, recipient=recipient, content=build(letter))

    def _answered(self, notice: Notice) -> Answered:
        """What somebody wrote back. Raises `Refused` when they were forgotten meanwhile."""
        with self._store.work.read() as tx:
            found = answered(tx, notice.shop_id, notice.about)
        if found is None:
            raise Refused("what was answered is not kept any more", provider_code="gone")
        return found

    def _texts(self, notice: Notice, settings: ShopSettings, reply: Answered | None = None) -> list[str]:
        language = choose_locale(settings.shop.locale, available=("en", "fi")).partition("-")[0]
        kind, _, flow = notice.kind.partition("/")
        values = {
            "flow": flow,
            "shop": settings.shop.name,
            "domain": settings.shop.domain,
            "app": "Kiitos",
            "link": self._link(notice),
            **({"subject": reply.subject, "said": SAID, "who": reply.who} if reply else {}),
        }
        parts = TEXTS[kind, language].format(**values).split("\n\n")
        told = [" ".join(part.split()) for part in parts]
        return [reply.said if reply and part == SAID else part for part in told]

    def _link(self, notice: Notice) -> str:
        base = self._kiitos.config.app.base_url
        if notice.kind != GATHERED:
            return base
        return f"{base}/p/data/{export_token(self._kiitos.salt, notice.shop_id, notice.about)}"


def recipient_of(settings: ShopSettings) -> str:
    """Where a shop is written to: its support address, else where its customers' answers go. Raises `Refused`."""
    for text in (settings.shop.support_email, settings.reply_to, settings.sender):
        if text:
            return split_sender(text)[1]
    raise Refused("the shop has no address to write to", provider_code="no_address")
