"""What letters look like: templates that say what the mail server must read, and a quick hand that does the same.

Rendering is a tenth of a life and has tests of its own (`tests/render`): in most lives the quick hand writes, and in
every eighth the product's renderer does, Liquid, MJML and MIME in full.
"""

from __future__ import annotations

import re
from email import message_from_bytes
from pathlib import Path
from typing import Any

from flows.render.context import MessageView
from flows.render.renderer import Rendered, Renderer

TEMPLATE = """---
subject: swarm {name} {number}|{tracking}|{code}
preheader: .
---
<mjml><mj-body><mj-section><mj-column><mj-text>
{{% if links.review %}}<a href="{{{{ links.review }}}}">review</a>{{% endif %}}
{{% if links.unsubscribe %}}<a href="{{{{ links.unsubscribe }}}}">stop</a>{{% endif %}}
</mj-text></mj-column></mj-section></mj-body></mjml>
"""
TEXT = (
    "{% if links.review %}{{ links.review }}{% endif %}\n{% if links.unsubscribe %}{{ links.unsubscribe }}{% endif %}\n"
)
_NUMBER = "{% if order %}{{ order.number }}{% endif %}"
_TRACKING = "{% if shipment %}{% for one in shipment.trackings %}{{ one.number }}{% endfor %}{% endif %}"
_WITH_CODE = ("review_thanks", "referral_invite", "referral_reward")
_REVIEW = re.compile(r"/p/review/\w+")


def write_templates(folder: Path, names: frozenset[str]) -> None:
    """One that names its step, its order, its parcel and its code, for each name."""
    (folder / "en").mkdir()
    (folder / "en" / "strings.json").write_text("{}", "utf-8")
    for name in names:
        code = "{{ steps.code.code | default: steps.given.code | default: steps.given.granted }}"
        code = code if name in _WITH_CODE else ""
        text = TEMPLATE.format(name=name, number=_NUMBER, tracking=_TRACKING, code=code)
        (folder / "en" / f"{name}.mjml.liquid").write_text(text, "utf-8")
        (folder / "en" / f"{name}.txt.liquid").write_text(TEXT, "utf-8")


class Hand(Renderer):
    """The product's renderer, or while `quick` one that writes the subject, the headers and the links of the same
    letter."""

    quick = False

    def render(self, template: str, view: MessageView, **given: Any) -> Rendered:
        if not self.quick:
            return super().render(template, view, **given)
        number = view.order.number if view.order else ""
        tracking = "".join(view.shipment.tracking_numbers) if view.shipment else ""
        made = {**view.steps.get("given", {}), **view.steps.get("code", {})}
        code = made.get("code") or made.get("granted", "") if template in _WITH_CODE else ""
        subject = f"swarm {template} {number}|{tracking}|{code}"
        text = "\n".join(view.links[name] for name in ("review", "unsubscribe") if view.links.get(name))
        head = "\r\n".join(f"{name}: {value}" for name, value in {"Subject": subject, **given["headers"]}.items())
        return Rendered(
            subject=subject, preheader="", html="", text=text, mime_bytes=f"{head}\r\n\r\n{text}".encode(), fault=""
        )


def review_link(content: bytes) -> str:
    """The path of the page on which a letter asks for a review; empty where it asks for none."""
    message = message_from_bytes(content)
    part = next((one for one in message.walk() if one.get_content_type() == "text/plain"), message)
    found = _REVIEW.search(bytes(part.get_payload(decode=True)).decode())
    return found[0] if found else ""
