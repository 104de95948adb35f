"""Which people of a segment may be taken out for an advertising platform, and in which words the platform wants them.

Everybody named here has said yes to marketing by e-mail, has not taken it back, is not blocked, not forgotten, and has
nothing against profiling; and either said yes to advertising platforms too (`ground = "consent"`: a customer's tag) or
the merchant states on which ground it is done. The file holds digests and nothing else: SHA-256 without a salt, because
that is what the platforms compare with. A digest of an address is still personal data (GDPR recital 26).

Forms of the platforms, read on 2026-11-22:
Google: https://support.google.com/google-ads/answer/7659867 (columns Email, Phone; lower case without spaces; E.164)
Meta: https://www.facebook.com/business/help/2082575038703844 (columns email, phone),
https://developers.facebook.com/docs/marketing-api/audiences/guides/custom-audiences (digits with the country code)
TikTok: https://ads.tiktok.com/help/article/list-of-supported-ids-and-formats-for-a-customer-file (Email_SHA256,
Phone_SHA256; E.164)
Pinterest: https://developers.pinterest.com/docs/api/v5/customer_lists-create (e-mail addresses or their digests)
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass


def _lower(address: str) -> str:
    return "".join(address.split()).lower()


def _e164(number: str) -> str:
    """`+358401234567`; empty for a number without its country."""
    kept = re.sub(r"[^\d+]", "", number)
    kept = f"+{kept[2:]}" if kept.startswith("00") else kept
    return kept if re.fullmatch(r"\+[1-9]\d{6,14}", kept) else ""


def _digits(number: str) -> str:
    return _e164(number).removeprefix("+")


@dataclass(frozen=True, slots=True)
class Form:
    """How one platform wants its list. `phone` is its column, empty where it takes none; `number` writes a number."""

    email: str
    phone: str
    number: Callable[[str], str]
    header: bool = True

    def member(self, address: str, phone: str | None) -> tuple[str, str]:
        """The digests of a person's address and number, empty where the platform takes none."""
        number = self.number(phone or "") if self.phone else ""
        return digest(_lower(address)), digest(number)


FORMS: Mapping[str, Form] = {
    "google": Form("Email", "Phone", _e164),
    "meta": Form("email", "phone", _digits),
    "tiktok": Form("Email_SHA256", "Phone_SHA256", _e164),
    "pinterest": Form("email", "", _e164, header=False),
}


def digest(text: str) -> str:
    """SHA-256 in lower-case hexadecimal, empty of nothing."""
    return hashlib.sha256(text.encode()).hexdigest() if text else ""


def write_csv(form: Form, members: Iterable[tuple[str, str]]) -> str:
    """The file's text: one person a line, sorted, so that it tells nothing of who came when."""
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    columns: Sequence[str] = (form.email, form.phone) if form.phone else (form.email,)
    if form.header:
        writer.writerow(columns)
    for member in sorted(set(members)):
        writer.writerow(member[: len(columns)])
    return target.getvalue()
