"""Whether mail from a domain will be believed: SPF, DKIM and DMARC as receivers look them up (RFC 7208, 6376, 7489).

Gmail, Yahoo and Microsoft take bulk mail only with SPF and DKIM, a DMARC record and a From that is aligned with one of
them (facts/messaging.md 5.2). Nothing here knows sockets: `Txt` asks, and a test answers.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as NoBase64
from collections.abc import Callable, Iterator, Mapping, Sequence

from connector.contracts.connecting import Finding, Verdict
from connector.errors import Transient

Txt = Callable[[str], Sequence[str]]
"""The TXT records of a name, aliases followed; none for a name that does not exist. Raises `Transient`."""

PUBLIC = frozenset(
    {"gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "live.com", "yahoo.com", "icloud.com", "aol.com"}
    | {"gmx.de", "gmx.net", "web.de", "mail.ru", "proton.me", "luukku.com", "suomi24.fi", "kolumbus.fi"}
)
"""Mailbox providers: nobody else may send for their domains."""
SELECTORS: Mapping[str, Sequence[str]] = {
    "resend": ("resend",),
    "sendgrid": ("s1", "s2"),
    "mailgun": ("mx", "k1", "pic", "smtp", "mta", "email"),
    "brevo": ("brevo1", "brevo2", "mail"),
}
"""What providers name their keys when nobody says otherwise. Postmark's and SES' are different for each account."""
INCLUDES: Mapping[str, Sequence[str]] = {
    "sendgrid": ("sendgrid.net",),
    "mailgun": ("mailgun.org", "eu.mailgun.org"),
    "brevo": ("spf.brevo.com", "spf.sendinblue.com"),
    "postmark": ("spf.mtasv.net",),
    "ses": ("amazonses.com",),
    "resend": ("amazonses.com",),
}
"""What a domain's SPF record includes for a provider. Each also sends with a bounce domain of its own, so it may."""
_MOST_LOOKUPS = 10  # RFC 7208 section 4.6.4
_LEAST_BITS = 1024  # RFC 8301; Gmail asks for 1024, everybody gives 2048
_COSTLY = ("include:", "redirect=", "exists:")


def check_domain(domain: str, kind: str, selector: str, txt: Txt) -> Iterator[Finding]:
    """Findings for a From domain whose mail leaves through a channel of `kind`; `selector` names its DKIM key, empty
    where the provider's usual ones do. A name server that does not answer is a finding too."""
    if domain in PUBLIC:
        yield _finding("public_domain", Verdict.FAIL, domain)
        return
    for check in (_spf, _dkim, _dmarc):
        try:
            yield from check(domain, kind, selector, txt)
        except Transient as error:
            yield _finding("dns", Verdict.WARN, domain, why=error.message)


def _spf(domain: str, kind: str, selector: str, txt: Txt) -> Iterator[Finding]:
    del selector
    records = _tagged(txt(domain), "v=spf1")
    if len(records) > 1:
        yield _finding("spf_many", Verdict.FAIL, domain, count=str(len(records)))
        return
    if not records:
        source = next((f"include:{name}" for name in INCLUDES.get(kind, ())), "mx")
        yield _finding("spf_missing", Verdict.WARN, domain, example=f"v=spf1 {source} ~all")
        return
    terms = records[0].lower().split()[1:]
    if any(term in ("+all", "all") for term in terms):
        yield _finding("spf_open", Verdict.FAIL, domain)
        return
    lookups, included = _walk(terms, txt, 0)
    if lookups > _MOST_LOOKUPS:
        yield _finding("spf_long", Verdict.FAIL, domain, count=str(lookups))
        return
    wanted = INCLUDES.get(kind, ())
    if wanted and not included.intersection(wanted):
        yield _finding("spf_without", Verdict.WARN, domain, include=wanted[0])
        return
    yield _finding("spf", Verdict.OK, domain)


def _walk(terms: Sequence[str], txt: Txt, spent: int) -> tuple[int, set[str]]:
    """How many look-ups a receiver makes, and which domains are included, at any depth."""
    included: set[str] = set()
    for term in terms:
        plain = term.lstrip("+-~?")
        name = plain.partition(":")[0].partition("/")[0]
        if not (plain.startswith(_COSTLY) or name in ("a", "mx", "ptr")):
            continue
        spent += 1
        if spent > _MOST_LOOKUPS:
            return spent, included
        if plain.startswith(("include:", "redirect=")):
            target = plain.replace("=", ":", 1).partition(":")[2]
            included.add(target)
            for record in _tagged(txt(target), "v=spf1")[:1]:
                spent, more = _walk(record.lower().split()[1:], txt, spent)
                included |= more
    return spent, included


def _dkim(domain: str, kind: str, selector: str, txt: Txt) -> Iterator[Finding]:
    selectors = [selector] if selector else list(SELECTORS.get(kind, ()))
    if not selectors:
        yield _finding("dkim_unknown", Verdict.WARN, domain)
        return
    found = {one: "".join(records[0].split()) for one in selectors if (records := _keys(one, domain, txt))}
    if not found:
        yield _finding("dkim_missing", Verdict.FAIL, domain, selectors=", ".join(selectors))
        return
    for one, record in found.items():
        public = _tags(record).get("p", "")
        bits = _bits(public)
        if not public:
            yield _finding("dkim_revoked", Verdict.FAIL, domain, selector=one)
        elif bits is not None and bits < _LEAST_BITS:
            yield _finding("dkim_short", Verdict.FAIL, domain, selector=one, bits=str(bits))
        else:
            yield _finding("dkim", Verdict.OK, domain, selector=one)


def _keys(selector: str, domain: str, txt: Txt) -> list[str]:
    return [record for record in txt(f"{selector}._domainkey.{domain}") if "p" in _tags(record)]


def _bits(public: str) -> int | None:
    """The length of an RSA key; `None` for another kind, and for what is no key."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        key = load_der_public_key(b64decode(public, validate=True))
    except (ValueError, NoBase64, UnsupportedAlgorithm):
        return None
    return key.key_size if isinstance(key, RSAPublicKey) else None


def _dmarc(domain: str, kind: str, selector: str, txt: Txt) -> Iterator[Finding]:
    del kind, selector
    labels = domain.split(".")
    for depth in range(max(1, len(labels) - 1)):  # the domain's own record, then its parents' down to two labels
        name = ".".join(labels[depth:])
        records = _tagged(txt(f"_dmarc.{name}"), "v=DMARC1")
        if len(records) > 1:
            yield _finding("dmarc_many", Verdict.FAIL, domain, name=name)
            return
        if records:
            yield from _policy(domain, name, _tags(records[0]))
            return
    yield _finding("dmarc_missing", Verdict.FAIL, domain)


def _policy(domain: str, name: str, tags: Mapping[str, str]) -> Iterator[Finding]:
    policy = tags.get("sp") if name != domain and "sp" in tags else tags.get("p")
    if policy not in ("none", "quarantine", "reject"):
        yield _finding("dmarc_bad", Verdict.FAIL, domain, name=name)
        return
    if name != domain and tags.get("adkim", "r") == "s":
        yield _finding("dmarc_strict", Verdict.WARN, domain, name=name)
        return
    yield _finding("dmarc", Verdict.OK, domain, policy=policy, name=name)


def _tagged(records: Sequence[str], version: str) -> list[str]:
    wanted = version.lower()
    return [each for each in records if each.lower().split(";")[0].split(" ")[0].strip() == wanted]


def _tags(record: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in record.split(";"))
    return {name.strip().lower(): value.strip() for name, sign, value in pairs if sign}


def _finding(code: str, verdict: Verdict, domain: str, **values: str) -> Finding:
    return Finding(code=code, verdict=verdict, values={"domain": domain, **values})


def system_txt(timeout: float = 5.0) -> Txt:
    """The name servers of this machine. dnspython comes with the first question."""
    import dns.exception
    import dns.resolver

    resolver = dns.resolver.Resolver()
    resolver.lifetime = timeout

    def ask(name: str) -> Sequence[str]:
        try:
            answer = resolver.resolve(name, "TXT")
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except dns.exception.DNSException as error:
            raise Transient(f"the name server did not tell about {name} ({type(error).__name__})") from error
        return [b"".join(record.strings).decode("utf-8", "replace") for record in answer]

    return ask
