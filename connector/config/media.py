"""What settings of messages that are no mail may hold: prices, senders of texts, and the `whatsapp_templates` of a
layer, which say what template Meta approved stands for which of ours, and what goes into it.

[defaults.whatsapp_templates.order_confirmation]
name = "order_confirmed"                 # as approved
languages = ["en_US", "fi"]              # as approved
body = ["{{ first_name | default: 'there' }}", "{{ order.number }}"]
buttons = ["{{ order.id }}"]             # what ends each button's address
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from connector.errors import near

KEYS = ("name", "languages", "header", "body", "buttons")
_NAME = re.compile(r"[a-z0-9_]{1,512}")
_SENDER = re.compile(r"\+[1-9]\d{4,14}|\d{3,8}|MG[0-9a-f]{32}|(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(_[A-Z]{2})?")


def costs(value: Any) -> str:
    """What a message of a channel costs, and the share of rewards that people use."""
    if not isinstance(value, Mapping):
        return f"should be a table, not {type(value).__name__}"
    for key, item in value.items():
        if key == "reward_use":
            if isinstance(item, bool) or not isinstance(item, int | float) or not 0 <= item <= 1:
                return f"{key} should be a share between 0 and 1, such as 0.2"
        elif key not in _PAID_CHANNELS:
            return f"no channel '{key}'{near(key, (*_PAID_CHANNELS, 'reward_use'))}"
        elif not isinstance(item, str) or not _PRICE.fullmatch(item):
            return f'{key} should be an amount, such as "0.07 EUR"'
    return ""


_PAID_CHANNELS = ("email", "sms", "whatsapp", "push", "print")
_PRICE = re.compile(r"\d+(\.\d+)? [A-Z]{3}")


def sms_parts(value: Any) -> str:
    fits = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 10
    return "" if fits else "should be a whole number from 1 to 10, the most SMS one text may take"


def sms_sender(value: Any) -> str:
    """A number, a short number, a messaging service of Twilio's, or a name a phone shows."""
    fits = isinstance(value, str) and _SENDER.fullmatch(value) is not None
    return "" if fits else "should be a number such as +358401234567, or a name of up to 11 letters and digits"


def whatsapp_faults(where: str, value: Any) -> list[str]:
    """Everything wrong with the table, each as `where.key: what is wrong`."""
    if not isinstance(value, Mapping):
        return []  # told already
    return [fault for name, entry in value.items() for fault in _faults(f"{where}{name}", entry)]


def _faults(where: str, entry: Any) -> list[str]:
    if not isinstance(entry, Mapping):
        return [f"{where}: should be a table"]
    found = [f"{where}.{key}: unknown key{near(key, KEYS)}" for key in entry if key not in KEYS]
    if not isinstance(entry.get("name"), str) or not _NAME.fullmatch(entry["name"]):
        found.append(f"{where}.name: should be the approved template's name, small letters, digits and _")
    languages = entry.get("languages")
    if not _texts(languages) or not languages or not all(map(_LANGUAGE.fullmatch, languages)):
        found.append(f'{where}.languages: should be a list such as ["fi", "en_US"]')
    found += [
        f"{where}.{key}: should be a list of texts" for key in ("body", "buttons") if not _texts(entry.get(key, []))
    ]
    if not isinstance(entry.get("header", ""), str):
        found.append(f"{where}.header: should be text")
    return found


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
