"""E-mails for the tests of channels: ours, built as the product builds them, and one with everything an e-mail has."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP

from connector.contracts import Message
from connector.model import Purpose
from flows.render.mime import Letter, build

AT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
UNSUBSCRIBE = "<https://pages.example.com/u/" + "t" * 90 + ">"
THREAD = "<" + "a" * 60 + "@aurora.example> <" + "b" * 60 + "@aurora.example>"
MARKETING = {
    "List-Unsubscribe": UNSUBSCRIBE,
    "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    "Feedback-ID": "a:b:c:d",
}
ORDER = {
    "References": THREAD,
    "In-Reply-To": THREAD.split()[0],
    "Auto-Submitted": "auto-generated",
    "Feedback-ID": "a:b:c:d",
}


def letter(
    key: str = "k" * 24,
    recipient: str = "aino@example.com",
    purpose: Purpose = Purpose.TRANSACTIONAL,
    shop_id: str = "aurora",
    subject: str = "Kiitos, Äiti & Isä, tilauksesta 1001",
) -> Message:
    """One of ours, with the long headers that the standard library would spoil."""
    content = build(
        Letter(
            key=key,
            sender="Aamu, Ilta & Yö <orders@aurora.example>",
            recipient=recipient,
            recipient_name='Äinö, "Nö" Korhonen',
            subject=subject,
            text="Hei!\nTilaus on matkalla. €",
            html="<p>Hei!</p><p>Tilaus on matkalla. €</p>",
            at=AT,
            reply_to="Apu <help@aurora.example>",
            headers=MARKETING if purpose.needs_consent else ORDER,
        )
    )
    return Message(
        key=key,
        channel="email",
        sender="Aamu, Ilta & Yö <orders@aurora.example>",
        recipient=recipient,
        content=content,
        purpose=purpose,
        shop_id=shop_id,
    )


def laden() -> Message:
    """With an invoice, a picture shown in the text, and a pick-up time for the calendar."""
    mime = EmailMessage(policy=SMTP)
    mime["From"], mime["To"], mime["Subject"] = "orders@aurora.example", "aino@example.com", "Lasku"
    mime["Message-ID"] = "<laden@aurora.example>"
    mime.set_content("Hei")
    mime.add_alternative('<p>Hei <img src="cid:logo"></p>', subtype="html")
    mime.get_payload()[1].add_related(b"\x89PNG", "image", "png", cid="<logo>", filename="logo.png")
    mime.add_attachment(b"%PDF-1.7", "application", "pdf", filename="lasku ääkköset.pdf")
    mime.add_attachment("BEGIN:VCALENDAR", subtype="calendar", params={"method": "PUBLISH"})
    return Message(
        key="laden", channel="email", sender="orders@aurora.example", recipient="aino@example.com", content=bytes(mime)
    )
