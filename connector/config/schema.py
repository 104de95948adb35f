"""What may stand in app.toml: one table of keys a section, checked in one pass with near matches."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from connector.config.backups import backup_faults
from connector.config.consenting import double_opt_in
from connector.config.dispatching import dispatcher_fault
from connector.config.growth import audiences_table
from connector.config.loyalty import loyalty_faults
from connector.config.media import costs, sms_parts, sms_sender, whatsapp_faults
from connector.config.rates import pace_faults
from connector.config.referrals import referral_faults
from connector.config.returns import returns_faults
from connector.config.reviews import review_faults
from connector.config.seeing import FOREVER, STYLES
from connector.config.shapes import Check, colour, country, currency, locale, one_of
from connector.config.surveys import surveys_faults
from connector.config.telling import event_faults
from connector.config.zones import zone
from connector.contracts.step import parse_span
from connector.errors import near

_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,4})?) ?%")
_HOURS = re.compile(r"((?:[01]\d|2[0-3]):[0-5]\d)-((?:[01]\d|2[0-3]):[0-5]\d)")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def text(value: Any) -> str:
    return "" if isinstance(value, str) else f"should be text, not {_kind(value)}"


def flag(value: Any) -> str:
    return "" if isinstance(value, bool) else f"should be true or false, not {_kind(value)}"


def number(value: Any) -> str:
    fits = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return "" if fits else f"should be a whole number, not {_kind(value)}"


def rank(value: Any) -> str:
    fits = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 100
    return "" if fits else "should be a whole number from 0 to 100, the higher goes first"


def share(value: Any) -> str:
    found = _SHARE.fullmatch(value) if isinstance(value, str) else None
    return "" if found is not None and float(found[1]) <= 100 else 'should be a share such as "5%"'


def hours(value: Any) -> str:
    found = _HOURS.fullmatch(value) if isinstance(value, str) else None
    fits = value == "" or (found is not None and found[1] != found[2])
    return "" if fits else 'should be hours such as "20:00-09:00", or "" for none'


def weekdays(value: Any) -> str:
    fits = isinstance(value, list) and all(item in _DAYS for item in value)
    if fits and len(set(value)) == len(_DAYS):
        return "should leave a day open"
    return "" if fits else f"should be a list of {', '.join(_DAYS)}"


def texts(value: Any) -> str:
    fits = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return "" if fits else f"should be a list of texts, not {_kind(value)}"


def text_or_list(value: Any) -> str:
    fits = isinstance(value, str) or (isinstance(value, list) and value and all(isinstance(v, str) for v in value))
    return "" if fits else f"should be a name, or a list of names, the first one first; not {_kind(value)}"


def table(value: Any) -> str:
    return "" if isinstance(value, Mapping) else f"should be a table, not {_kind(value)}"


def tables(value: Any) -> str:
    fits = isinstance(value, list) and all(isinstance(item, Mapping) for item in value)
    return "" if fits else "should be a list of tables"


def span(value: Any) -> str:
    try:
        parse_span(value if isinstance(value, str) else "")
    except ValueError as error:
        return str(error)
    return ""


def keeping(value: Any) -> str:
    return "" if value == FOREVER else span(value)


def url(value: Any) -> str:
    parts = urlsplit(value) if isinstance(value, str) else None
    fits = parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname)
    return "" if fits else "should be an address such as https://hooks.example.com"


def secret(value: Any) -> str:
    """Secrets are only ever `{ env = "NAME" }` or `{ file = "path" }`."""
    if isinstance(value, str):
        return 'is a secret: write { env = "NAME" } or { file = "path" }, never the value itself'
    if not isinstance(value, Mapping):
        return f"should be {{ env = ... }} or {{ file = ... }}, not {_kind(value)}"
    if {"env", "file"} & set(value) and len({"env", "file"} & set(value)) == 1:
        return ""
    return "should have exactly one of env and file"


def text_or_secret(value: Any) -> str:
    return "" if isinstance(value, str) or not secret(value) else "should be text, { env = ... } or { file = ... }"


APP: dict[str, Check] = {
    "base_url": url,
    "listen": text,
    "database": text_or_secret,
    "inbox": text,
    "master_key": secret,
    "max_body": text,
    "queue": number,
    "log_level": text,
    "dispatcher": dispatcher_fault,
    "log_format": one_of("json", "text"),
    "worker_listen": text,
    "alerts": table,
    "retention": table,
    "traces": table,
}
_APP_TABLES: dict[str, dict[str, Check]] = {
    "alerts": {
        **dict.fromkeys(("every", "wait", "quiet"), span),
        **dict.fromkeys(("channel", "sender"), text),
        "mail": text_or_list,
        "chat": secret,
        "style": one_of(*STYLES),
        "private_addresses": flag,
    },
    "retention": dict.fromkeys(("webhooks", "messages", "events", "ip", "audit", "traces", "photos"), keeping),
    "traces": {"endpoint": url, "share": share, "headers": table},
}
SETTINGS: dict[str, Check] = {
    "name": text,
    "email": text_or_list,
    "sms": text,
    "whatsapp": text,
    "push": text,
    "print": text,
    "sms_sender": sms_sender,
    "sms_parts": sms_parts,
    "whatsapp_templates": table,
    "endpoints": table,
    "people": table,
    "sender": text,
    "reply_to": text,
    "locale": locale,
    "timezone": zone,
    "country": country,
    "currency": currency,
    "support_email": text,
    "support_phone": text,
    "address": texts,
    "logo_url": url,
    "accent_color": colour,
    "soft_opt_in": texts,
    "double_opt_in": double_opt_in,
    "signup": flag,
    "consent_ip": flag,
    "order_page": flag,
    "recommend_best_sellers": flag,
    "audiences": audiences_table,
    "track_clicks": one_of("none", "marketing", "all"),
    "track_opens": flag,
    "links_url": url,
    "fetch_before_send": flag,
    "costs": costs,
    "guides": text,
    "brand": text,
    "templates": lambda value: "" if isinstance(value, str) else texts(value),
    "order_markup": flag,
    "attachments": table,
    "limits": table,
    "flows": table,
    "segments": table,
    **dict.fromkeys(("loyalty", "surveys", "returns", "referrals", "reviews"), table),
}
CLIENT: dict[str, Check] = {**SETTINGS, "extends": text, "shops": table}
SHOP: dict[str, Check] = {
    **SETTINGS,
    "platform": text,
    "domain": text,
    "url": url,
    "api_url": url,
    "endpoint_key": secret,
    "webhook_secret": secret,
    "webhook_secret_previous": secret,
    "client_id": text_or_secret,
    "client_secret": secret,
    "access_token": secret,
    "consumer_key": secret,
    "consumer_secret": secret,
    "platform_shop_id": text,
}
MIGRATIONS = ("finish", "move", "re-evaluate", "end")
FLOW: dict[str, Check] = {
    "file": text,
    "enabled": flag,
    "params": table,
    "migrate": one_of(*MIGRATIONS),
    "remove": texts,
    "insert": tables,
    "priority": rank,
    "daily": number,
    "canary": share,
}
LIMITED = ("email", "sms", "whatsapp", "push", "print")
"""Channels that have limits of their own."""
_CHANNEL: dict[str, Check] = {"cap": span, "quiet": hours, "quiet_days": weekdays, "holidays": flag}
_LIMIT_TABLES: dict[str, dict[str, Check]] = {
    **dict.fromkeys(LIMITED, _CHANNEL),
    "saturation": {"after": number, "slowest": number, "goodbye": number},
    "alarm": {"complaints": share, "unsubscribes": share, "window": span, "at_least": number},
}
LIMITS: dict[str, Check] = {
    "patience": span,
    "daily": number,
    "just_bought": span,
    **dict.fromkeys(_LIMIT_TABLES, table),
}
ENDPOINT: dict[str, Check] = {
    "url": url,
    "secret": secret,
    "secret_previous": secret,
    "private_addresses": flag,
}
PERSON: dict[str, Check] = {
    "name": text,
    "email": text,
    "chat": secret,
    "style": text,
    "private_addresses": flag,
}
SEGMENT: dict[str, Check] = {"when": texts}
CONNECT: dict[str, Check] = {
    "enabled": flag,
    "client": text,
    "passphrase": secret,
    "private_addresses": flag,
    "apps": table,
}
FLOWS: dict[str, Check] = {"apply": one_of("auto", "by_hand"), "migrate": one_of(*MIGRATIONS)}
TOP: dict[str, Check] = {
    "schema": number,
    "app": table,
    "backup": table,
    "connect": table,
    "events": table,
    "flows": table,
    "channels": table,
    "endpoints": table,
    "people": table,
    "segments": table,
    **dict.fromkeys(("loyalty", "surveys", "returns", "referrals", "reviews"), table),
    "defaults": table,
    "presets": table,
    "brands": table,
    "clients": table,
}
_SECRETS = "webhook_secret webhook_secret_previous client_id client_secret access_token consumer_key consumer_secret"
SECRETS = tuple(_SECRETS.split())


def check_table(where: str, value: Mapping[str, Any], keys: Mapping[str, Check]) -> list[str]:
    """All faults of one table, each as `where.key: what is wrong`."""
    faults = []
    for key, item in value.items():
        if key not in keys:
            faults.append(f"{where}{key}: unknown key{near(key, keys)}")
            continue
        fault = keys[key](item)
        if fault:
            faults.append(f"{where}{key}: {fault}")
    return faults


def check_document(document: Mapping[str, Any]) -> list[str]:
    """All faults of a parsed app.toml that can be seen without layering."""
    faults = check_table("", document, TOP)
    if faults:
        return faults
    if document.get("schema") != 1:
        faults.append("schema: should be 1")
    app = document.get("app", {})
    faults += check_table("app.", app, APP)
    for name, keys in _APP_TABLES.items():
        faults += check_table(f"app.{name}.", app[name], keys) if isinstance(app.get(name), Mapping) else []
    faults += check_table("flows.", document.get("flows", {}), FLOWS)
    faults += _check_connect(document.get("connect", {}))
    faults += event_faults(document.get("events", {})) + backup_faults(document.get("backup", {}))
    for name, channel in document.get("channels", {}).items():
        if not isinstance(channel, Mapping) or not isinstance(channel.get("kind"), str):
            faults.append(f'channels.{name}: needs kind = "smtp" or another installed channel')
        else:
            faults += pace_faults(f"channels.{name}", channel)
    faults += _check_parties("", document)
    faults += _check_settings("defaults.", document.get("defaults", {}), {**SETTINGS, "extends": text})
    for name, preset in document.get("presets", {}).items():
        faults += _check_named("presets", name, preset, {**SETTINGS, "extends": text})
    for name, client in document.get("clients", {}).items():
        faults += _check_named("clients", name, client, CLIENT)
        for shop_name, shop in (client.get("shops", {}) if isinstance(client, Mapping) else {}).items():
            faults += _check_named(f"clients.{name}.shops", shop_name, shop, SHOP)
    return faults


def _check_connect(value: Mapping[str, Any]) -> list[str]:
    """The names under `apps.<platform>` are the platform's own and checked where platforms are known."""
    faults = check_table("connect.", value, CONNECT)
    apps = value.get("apps", {})
    for name, app in apps.items() if isinstance(apps, Mapping) else ():
        if not isinstance(app, Mapping):
            faults.append(f"connect.apps.{name}: should be a table, not {_kind(app)}")
            continue
        for key, item in app.items():
            fault = text_or_secret(item)
            if fault:
                faults.append(f"connect.apps.{name}.{key}: {fault}")
    return faults


def check_connected(where: str, value: Mapping[str, Any]) -> list[str]:
    """All faults of the settings a connected store brings."""
    return _check_settings(where, value, SHOP)


def _check_parties(where: str, value: Mapping[str, Any]) -> list[str]:
    """Endpoints that flows call, people they write to, segments; what is in them as a whole is known after layering."""
    faults: list[str] = []
    for section, keys in (("endpoints", ENDPOINT), ("people", PERSON), ("segments", SEGMENT)):
        entries = value.get(section, {})
        for name, entry in entries.items() if isinstance(entries, Mapping) else ():
            place = f"{where}{section}.{name}"
            if not _NAME.fullmatch(name):
                faults.append(f"{place}: names are lower-case letters, digits, - and _")
            elif not isinstance(entry, Mapping):
                faults.append(f"{place}: should be a table, not {_kind(entry)}")
            else:
                faults += check_table(f"{place}.", entry, keys)
    faults += loyalty_faults(f"{where}loyalty", value.get("loyalty", {}))
    faults += surveys_faults(f"{where}surveys", value.get("surveys", {}))
    faults += returns_faults(f"{where}returns", value.get("returns", {}))
    faults += referral_faults(f"{where}referrals", value.get("referrals", {}))
    return faults + review_faults(f"{where}reviews", value.get("reviews", {}))


def _check_named(section: str, name: str, value: Any, keys: Mapping[str, Check]) -> list[str]:
    if not _NAME.fullmatch(name):
        return [f"{section}.{name}: names are lower-case letters, digits, - and _"]
    if not isinstance(value, Mapping):
        return [f"{section}.{name}: should be a table, not {_kind(value)}"]
    return _check_settings(f"{section}.{name}.", value, keys)


def _check_settings(where: str, value: Mapping[str, Any], keys: Mapping[str, Check]) -> list[str]:
    faults = check_table(where, value, keys)
    faults += _check_parties(where, value)
    faults += whatsapp_faults(f"{where}whatsapp_templates.", value.get("whatsapp_templates", {}))
    limits = value.get("limits", {})
    faults += _check_limits(f"{where}limits.", limits) if isinstance(limits, Mapping) else []
    flows = value.get("flows", {})
    for flow_id, flow in flows.items() if isinstance(flows, Mapping) else ():
        if isinstance(flow, Mapping):
            faults += check_table(f"{where}flows.{flow_id}.", flow, FLOW)
        else:
            faults.append(f"{where}flows.{flow_id}: should be a table, not {_kind(flow)}")
    return faults


def _check_limits(where: str, value: Mapping[str, Any]) -> list[str]:
    faults = check_table(where, value, LIMITS)
    for name, keys in _LIMIT_TABLES.items():
        if isinstance(value.get(name), Mapping):
            faults += check_table(f"{where}{name}.", value[name], keys)
    return faults


def _kind(value: Any) -> str:
    names = {bool: "true/false", int: "a number", float: "a number", str: "text", list: "a list", dict: "a table"}
    return names.get(type(value), type(value).__name__)
