"""`kiitos channels`: what messages leave through, whether it would work, and the kit for a channel of one's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module

import click

from connector.app import Kiitos
from connector.cli.context import App, json_option, print_json, print_table
from connector.clock import to_text
from connector.config import Config
from connector.config.mailboxes import mailboxes_of
from connector.contracts import ChecksChannel
from connector.contracts.connecting import Finding, Verdict
from connector.errors import ConfigError, KiitosError, Refused, near
from connector.outside.sender_domain import Txt, check_domain, system_txt
from connector.store import channel_events, providers
from flows.render.headers import one_click_allowed
from flows.render.mime import split_sender

SENTENCES: Mapping[str, str] = {
    "settings": "{why}",
    "credentials": "the provider lets us in",
    "credentials_fail": "the provider refused the key (it answered {status}): put a new one into app.toml",
    "unreachable": "no way in: {why}",
    "busy": "the provider is busy (it answered {status}): try again",
    "mailbox": "the mailbox of returned mail at {host} opens",
    "mailbox_closed": "the mailbox of returned mail at {host}: {why}",
    "public_domain": "nobody but {domain} may send for its addresses: use a domain of your own in sender",
    "dns": "not checked: {why}",
    "spf": "SPF stands",
    "spf_missing": "there is no SPF record: publish a TXT record at {domain}, such as {example}",
    "spf_many": "there are {count} SPF records, so receivers heed none: make one of them",
    "spf_open": "its SPF record ends in +all and lets anybody send: end it in ~all or -all",
    "spf_long": "its SPF record needs {count} look-ups or more, ten are allowed: take out includes nobody uses",
    "spf_without": "its SPF record lacks include:{include}; needed unless the provider bounces to its own domain",
    "dkim": "DKIM key {selector} stands",
    "dkim_unknown": 'which DKIM key signs is not known: write dkim_selector = "..." into the channel',
    "dkim_missing": "no DKIM key under {selectors}: publish the records the provider shows, or name dkim_selector",
    "dkim_revoked": "DKIM key {selector} is revoked (its p= is empty): publish the provider's record again",
    "dkim_short": "DKIM key {selector} has {bits} bits; receivers want 1024 or more, better 2048",
    "dmarc": "DMARC stands (policy {policy}, at {name})",
    "dmarc_missing": "there is no DMARC record: publish a TXT record at _dmarc.{domain}, such as v=DMARC1; p=none",
    "dmarc_many": "there are several DMARC records at _dmarc.{name}, so receivers heed none: keep one",
    "dmarc_bad": "the DMARC record at _dmarc.{name} has no policy: it needs p=none, p=quarantine or p=reject",
    "dmarc_strict": "DMARC of {name} wants strict alignment: mail must be signed for {domain} itself, not for {name}",
    "one_click": "one-click unsubscribe works",
    "one_click_fail": "advertising has no one-click unsubscribe: app.base_url must begin with https://",
    "sender_bad": "the sender of shop {shop} is no address: {why}",
}
"""What each finding says, and how it is put right. A code with `_fail` is the failed one's sentence."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A finding and what it is about: a channel, or a channel and a sender's domain."""

    channel: str
    finding: Finding

    @property
    def text(self) -> str:
        failed = f"{self.finding.code}_fail"
        chosen = failed if self.finding.verdict is not Verdict.OK and failed in SENTENCES else self.finding.code
        return SENTENCES.get(chosen, chosen).format_map({"status": "nothing", **self.finding.values})


@click.group()
def channels() -> None:
    """Look after the channels that messages leave through.

    \b
    Examples:
      kiitos channels list
      kiitos channels check                  credentials, and the senders' domains in the DNS
      kiitos channels check mail --json
      kiitos channels kit resend             does a channel of your own keep its promises?
    """


@channels.command("list")
@json_option
@click.pass_obj
def list_channels(app: App, as_json: bool) -> None:
    """Every channel, who sends through it, its limits, and whether it is closed just now."""
    kiitos = app.kiitos
    now = kiitos.clock.now()
    with kiitos.store.work.read() as tx:
        accounts, breakers = providers.accounts(tx), providers.breakers(tx)
    rows = []
    for name, table in kiitos.config.channels.items():
        provider = kiitos.channels.provider(name)
        rate = provider.rate if provider else None
        account = accounts.get(provider.account) if provider else None
        blocked = account.blocked_until if account and account.blocked_until and account.blocked_until > now else None
        failing = sorted(shop for (shop, broken), each in breakers.items() if broken == name and each.open_until)
        rows.append(
            {
                "name": name,
                "kind": str(table.get("kind", "")),
                "shops": _shops_of(kiitos.config, name),
                "rate": f"{rate.messages:g} in {rate.seconds:g} s" if rate else "",
                "waits_until": to_text(blocked) if blocked else "",
                "failing_for": failing,
            }
        )
    if as_json:
        print_json(rows)
        return
    shown = ("name", "kind", "shops", "rate", "waits until", "failing for")
    print_table([tuple(_cell(value) for value in row.values()) for row in rows], shown)


@channels.command()
@click.argument("name", required=False)
@json_option
@click.pass_obj
@click.pass_context
def check(ctx: click.Context, app: App, name: str | None, as_json: bool) -> None:
    """Ask each provider whether it lets us in, and the DNS whether the senders are believed; exit 1 when not.

    Nothing is sent to anybody. With NAME only that channel.
    """
    kiitos = app.kiitos
    if name and name not in kiitos.config.channels:
        raise ConfigError(f"no channel '{name}'", where="channels")
    txt: Txt = ctx.meta.get("kiitos.txt") or system_txt()
    wanted = [name] if name else list(kiitos.config.channels)
    found = [each for one in wanted for each in _check(app, one, txt)]
    if as_json:
        print_json(
            [
                {"channel": each.channel, "code": each.finding.code, "verdict": each.finding.verdict, "text": each.text}
                for each in found
            ]
        )
    else:
        print_table([(each.finding.verdict, each.channel, each.text) for each in found], ("", "channel", "finding"))
    ctx.exit(1 if any(each.finding.verdict is Verdict.FAIL for each in found) else 0)


@channels.command()
@json_option
@click.pass_obj
def hooks(app: App, as_json: bool) -> None:
    """Where each provider tells what became of messages: enter the address there, for all events of messages."""
    kiitos = app.kiitos
    rows = [
        {"channel": name, "kind": str(kiitos.config.channels[name]["kind"]), "url": _told_at(kiitos, name, url)}
        for name, url in kiitos.event_urls().items()
    ]
    if as_json:
        print_json(rows)
        return
    print_table([tuple(row.values()) for row in rows], ("channel", "kind", "url"))


@channels.command()
@click.argument("name")
@click.option("--limit", default=50, show_default=True, help="At most so many, newest first.")
@json_option
@click.pass_obj
def unmatched(app: App, name: str, limit: int, as_json: bool) -> None:
    """What the provider of NAME told of messages we do not know: others sent them, or their person was forgotten."""
    if name not in app.kiitos.config.channels:
        raise ConfigError(f"no channel '{name}'{near(name, app.kiitos.config.channels)}")
    with app.kiitos.store.work.read() as tx:
        heard = channel_events.unmatched(tx, name, limit)
    names = ("at", "kind", "code", "recipient", "raw_kind")
    rows = [(to_text(row.at), str(row.kind), row.code, row.recipient, row.raw_kind) for row in heard]
    if as_json:
        print_json([dict(zip(names, row, strict=True)) for row in rows])
        return
    print_table(rows, names)


@channels.command()
@click.argument("name")
@json_option
@click.pass_context
def kit(ctx: click.Context, name: str, as_json: bool) -> None:
    """Run the conformance kit over the installed channel NAME; exit 1 when something does not hold.

    Its package names the stage it is shown on under the entry point group kiitos.channel_stages.
    """
    # By name: the kit is no part of a running shop, and nothing the product imports leads there.
    report = import_module("connector.testing.channel_report").findings_of(name)
    if as_json:
        print_json([{"check": check, "state": state, "why": why} for check, state, why in report])
    else:
        print_table(report, ("check", "state", "why"))
    ctx.exit(1 if any(state == "fails" for _, state, _ in report) else 0)


def _check(app: App, name: str, txt: Txt) -> Iterator[Checked]:
    kiitos = app.kiitos
    table, kind = kiitos.config.channels[name], str(kiitos.config.channels[name].get("kind", ""))
    senders = _senders(kiitos.config, name)
    try:
        channel = kiitos.channels.named(name)
    except KiitosError as error:
        yield Checked(name, Finding(code="settings", verdict=Verdict.FAIL, values={"why": error.message}))
        return
    if isinstance(channel, ChecksChannel):
        yield from (Checked(name, finding) for finding in channel.check(next(iter(senders), "")))
    for box in mailboxes_of({name: table}):
        from connector.working.mailbox import look_into

        yield Checked(name, look_into(box))
    if channel.medium != "email":
        return
    domains: set[str] = set()
    for sender, shop in senders.items():
        try:
            domains.add(split_sender(sender)[1].rpartition("@")[2].lower())
        except Refused as error:
            values = {"shop": shop, "why": error.message}
            yield Checked(name, Finding(code="sender_bad", verdict=Verdict.FAIL, values=values))
    for domain in sorted(domains):
        selector = str(table.get("dkim_selector", ""))
        place = f"{name}, {domain}"
        yield from (Checked(place, finding) for finding in check_domain(domain, kind, selector, txt))
    if senders:
        good = one_click_allowed(kiitos.config.app.base_url)
        yield Checked(name, Finding(code="one_click", verdict=Verdict.OK if good else Verdict.FAIL))


def _told_at(kiitos: Kiitos, name: str, url: str) -> str:
    """A webhook's address; mail servers have none, what they tell comes by mail."""
    table = kiitos.config.channels[name]
    if table["kind"] != "smtp":
        return url
    return f"by mail to b+KEY@{table['bounces']}" if table.get("bounces") else "nowhere: bounces is not set"


def _shops_of(config: Config, name: str) -> list[str]:
    every = config.shops.items()
    return sorted(shop_id for shop_id, shop in every if name in (*shop.providers("email"), *shop.channels.values()))


def _senders(config: Config, name: str) -> dict[str, str]:
    """The senders of the shops whose e-mail may leave through the channel, each with one of its shops."""
    return {shop.sender: shop_id for shop_id, shop in config.shops.items() if name in shop.providers("email")}


def _cell(value: object) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)
