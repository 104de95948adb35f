"""The health of a connection in words: what the platform finds, and what every shop has to have."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

from connector.config import ShopSettings
from connector.connecting.activation import Application, connectable
from connector.contracts import ChecksConnection, Finding, HookTarget, ManagesWebhooks, Verdict
from connector.errors import KiitosError
from connector.log import get_log
from connector.model import ShopStatus
from connector.store import jobs, shops

FALLBACK = "en"
log = get_log("connecting")


@cache
def languages() -> tuple[str, ...]:
    """The languages of the pages and of the command: one JSON file each, all with the same keys."""
    folder = files("connector").joinpath("wording")
    return tuple(sorted(entry.name.removesuffix(".json") for entry in folder.iterdir() if entry.name.endswith(".json")))


@cache
def _shared(language: str) -> Mapping[str, str]:
    source = files("connector").joinpath("wording", f"{language if language in languages() else FALLBACK}.json")
    loaded: dict[str, str] = json.loads(source.read_text(encoding="utf-8"))
    return loaded


def sentences(app: Application, platform: str, language: str) -> dict[str, str]:
    """All sentences by key: the shared ones, and the platform's own over them; English where a language lacks one."""
    adapter = connectable(app.registry).get(platform)
    found = {**_shared(FALLBACK), **_shared(language)}
    if adapter is not None:
        found.update(adapter.wording(FALLBACK))
        found.update(adapter.wording(language))
    return found


def fill(known: Mapping[str, str], key: str, values: Mapping[str, str]) -> str:
    """A sentence with its values; the key itself where a plug-in forgot the sentence."""
    text = known.get(key, key)
    for name, value in values.items():
        text = text.replace("{" + name + "}", value)
    return text


def check(app: Application, shop_id: str) -> list[Finding]:
    """Ask the shop's platform and look at what we know. Never raises for what is wrong with the connection.

    Raises `ConfigError` for an unknown shop.
    """
    if shop_id in app.config.left_out:
        return [Finding(code="left_out", verdict=Verdict.FAIL, values={"reason": app.config.left_out[shop_id]})]
    settings = app.config.shop(shop_id)
    with app.store.work.read() as tx:
        stored = shops.get(tx, shop_id)
    status = stored.status if stored is not None else settings.shop.status
    if status is ShopStatus.UNINSTALLED:
        return [Finding(code="removed", verdict=Verdict.FAIL)]
    found = [Finding(code="paused", verdict=Verdict.WARN)] if status is ShopStatus.PAUSED else []
    adapter = app.registry.platform(settings.shop.platform)
    if not isinstance(adapter, ChecksConnection):
        return [*found, Finding(code="unchecked", verdict=Verdict.WARN)]
    try:
        found += adapter.check(app.access(settings))
    except KiitosError as error:
        log.error("check_failed", shop_id=shop_id, code=error.code)
        found.append(Finding(code="check_failed", verdict=Verdict.FAIL, values={"code": error.code}))
    return [*found, *_webhooks(app, settings)] if worst(found) is not Verdict.FAIL else found


def _webhooks(app: Application, settings: ShopSettings) -> list[Finding]:
    """Whether the subscriptions are as they should be. The worker makes a new shop's within a minute."""
    adapter, shop_id = app.registry.platform(settings.shop.platform), settings.shop.id
    if not isinstance(adapter, ManagesWebhooks):
        return []
    with app.store.work.read() as tx:
        row, looked = jobs.get(tx, shop_id, "webhooks"), jobs.reports(tx, shop_id, "webhooks")
    try:
        access = app.access(settings)
        notes = {str(key): str(value) for key, value in dict(row.state.get("notes") or {}).items()} if row else {}
        secret = access.secrets.get("webhook_secret")
        report = adapter.check_webhooks(access, HookTarget(url=app.hook_url(settings), secret=secret, notes=notes))
    except KiitosError as error:
        log.error("webhooks_unchecked", shop_id=shop_id, code=error.code)
        return [Finding(code="webhooks_unknown", verdict=Verdict.WARN)]
    wrong = [fault for fault in report.faults if fault.fault != "no_scope"]
    if wrong:
        code = "webhooks_wrong" if looked else "webhooks_coming"
        return [Finding(code=code, verdict=Verdict.WARN, values={"count": str(len(wrong))})]
    return [Finding(code="webhooks_right", verdict=Verdict.OK, values={"count": str(report.present)})]


def worst(findings: Sequence[Finding]) -> Verdict:
    """The verdict of all together."""
    for verdict in (Verdict.FAIL, Verdict.WARN):
        if any(finding.verdict is verdict for finding in findings):
            return verdict
    return Verdict.OK
