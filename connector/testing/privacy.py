"""The kit's check of recordings: only invented people, example domains, no secrets.

A program cannot know who exists. It can insist on what only an invented person has: an e-mail address under a domain
nobody can register (RFC 2606, RFC 6761), an address of the documentation networks (RFC 5737, RFC 3849), a telephone
number nobody answers, and no token at all.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence

from connector.testing.subject import Subject

RESERVED = ("example.com", "example.net", "example.org", "example", "test", "invalid", "localhost", "local")
_EMAIL = re.compile(r"[\w.+%-]+@([\w-]+(?:\.[\w-]+)+)")
_HOST = re.compile(r"https?:\\?/\\?/(?:[^/@\s\"]*@)?([\w.-]+)")
_IPV4 = re.compile(r"(?<![\w.-])(\d{1,3}(?:\.\d{1,3}){3})(?![\w.-])")
_PHONE = re.compile(r"\+\d[\d ()-]{7,16}\d")
_INVENTED = re.compile(r"555|000|12345")
_SECRETS = {
    "an access token of Shopify": re.compile(r"shp(?:at|ss|ca|pa|ua|tka)_[0-9a-fA-F]{8,}"),
    "an API key of WooCommerce": re.compile(r"\bc[ks]_[0-9a-f]{40}\b"),
    "a secret key of a payment provider": re.compile(r"\b(?:sk|rk|pk|whsec)_(?:live_|test_)?\w{12,}"),
    "a JSON web token": re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "a bearer token": re.compile(r"\b[Bb]earer [\w.~+/-]{12,}"),
    "basic credentials": re.compile(r"\bBasic [A-Za-z0-9+/]{12,}={0,2}"),
}
_SECRET_HEADERS = re.compile(r'"(authorization|cookie|set-cookie|[\w-]*(?:access-token|api-key|auth-token))"\s*:', re.I)


class PrivacyChecks(Subject):
    """The part of `PlatformConformance` that reads the recordings and tapes themselves."""

    def test_recordings_hold_invented_people_and_no_secret(self) -> None:
        roots = [self.recordings, *([self.exchanges] if self.exchanges else [])]
        found = [
            f"{file.relative_to(root)}: {what}"
            for root in roots
            for file in sorted(root.rglob("*"))
            if file.is_file()
            for what in findings(file.read_text("utf-8", "replace"), self.hosts, self.signature_header)
        ]
        assert not found, "; ".join(found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")


def findings(text: str, hosts: Sequence[str] = (), signature_header: str = "") -> Iterator[str]:
    """What in a text may belong to a real person or shop, or is secret, with the line; never the value itself."""
    allowed = (*RESERVED, *(host.lower() for host in hosts))
    for pattern, what, fine in (
        (_EMAIL, "an e-mail address that is not under an example domain", lambda hit: _under(hit, allowed)),
        (_HOST, "an address that is neither an example nor the platform's", lambda hit: _known(hit, allowed)),
        (_IPV4, "an IP address outside the documentation networks", _documented),
        (_PHONE, "a telephone number that could be somebody's", lambda hit: bool(_INVENTED.search(_digits(hit)))),
    ):
        for match in pattern.finditer(text):
            if not fine(match[1] if match.groups() else match[0]):
                yield f"line {_line(text, match)}: {what}"
    for what, pattern in _SECRETS.items():
        yield from (f"line {_line(text, match)}: {what}" for match in pattern.finditer(text))
    for match in _SECRET_HEADERS.finditer(text):
        yield f"line {_line(text, match)}: the header {match[1]}"
    if signature_header:
        for match in re.finditer(rf'"{re.escape(signature_header)}"\s*:', text, re.IGNORECASE):
            yield f"line {_line(text, match)}: a signature (the kit signs with a secret of its own)"


def _under(host: str, domains: Sequence[str]) -> bool:
    name = host.lower().rstrip(".")
    return any(name == domain or name.endswith(f".{domain}") for domain in domains)


def _known(host: str, domains: Sequence[str]) -> bool:
    try:
        return _documented(str(ipaddress.ip_address(host)))
    except ValueError:
        return _under(host, domains)


def _documented(address: str) -> bool:
    """Whether it is private, loopback or for documentation. What is no address at all (a version) is fine."""
    try:
        return not ipaddress.ip_address(address).is_global
    except ValueError:
        return True


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)


def _line(text: str, match: re.Match[str]) -> int:
    return text.count("\n", 0, match.start()) + 1
