"""A template sent to the merchant themselves: through the shop's own channel, and counted nowhere."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import click

from connector.cli.context import App
from connector.clock import to_text
from connector.contracts import Accepted, Message
from connector.errors import ConfigError, near
from connector.log import get_log
from connector.store import runs
from flows.render.check import purpose_of
from flows.render.headers import headers_for
from flows.render.samples import samples

log = get_log("templates")
JOURNAL = "tests"
"""The run under which the journal keeps them; no flow has it."""
MARK = "[Test] "


def send(app: App, shop_id: str, name: str, address: str, language: str, sample: str) -> str:
    """What the provider calls it. Raises `ConfigError` (no such sample or template), `Transient`, `Refused`."""
    kiitos = app.kiitos
    settings = kiitos.config.shop(shop_id)
    renderer = kiitos.renderer.under(settings.templates, settings.brand)
    known = sorted({*renderer.names(), *renderer.sources.own_names()})
    if name not in known:
        raise ConfigError(f"no template '{name}'{near(name, known)}", where="templates")
    if sample not in samples():
        raise ConfigError(f"no sample '{sample}'{near(sample, samples())}", where="templates")
    now, purpose = kiitos.clock.now(), purpose_of(name)
    view = replace(
        samples()[sample],
        shop=settings.shop, brand=settings.brand, locale=language or settings.shop.locale,
        timezone=settings.shop.timezone, purpose=purpose,
    )  # fmt: skip
    key = "t" + hashlib.sha256(f"{shop_id}|{name}|{address}|{to_text(now)}".encode()).hexdigest()[:23]
    headers = headers_for(purpose, settings.shop, view.links.get("unsubscribe"), template=name)
    rendered = renderer.render(
        name, view, key=key, sender=settings.sender, reply_to=settings.reply_to, recipient=address, recipient_name="",
        headers={**headers, "X-Kiitos-Test": "yes"}, at=now,
        trace=lambda parts: replace(parts, subject=MARK + parts.subject),
    )  # fmt: skip
    message = Message(
        key=key, channel="email", sender=settings.sender, recipient=address, content=bytes(rendered.mime_bytes),
        purpose=purpose, shop_id=shop_id,
    )  # fmt: skip
    outcome = next(iter(kiitos.channel(settings).send_all([message])))
    detail = {"template": name, "language": view.locale, "outcome": type(outcome).__name__.lower()}
    with kiitos.store.work.transaction() as tx:
        runs.journal(tx, shop_id, JOURNAL, now, name, "test message", detail)
    log.info("test_message", shop_id=shop_id, template=name, outcome=detail["outcome"])
    if not isinstance(outcome, Accepted):
        click.echo(f"{name}: not taken: {outcome}", err=True)
        raise click.exceptions.Exit(1)
    return outcome.provider_id
