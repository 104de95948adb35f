"""`kiitos channels`: what is listed, what a check finds of accounts and domains, and how it is put right."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from connector.app import load
from connector.cli import channels as command
from connector.cli import cli
from connector.cli.channels import SENTENCES
from connector.contracts.connecting import Verdict
from connector.errors import Transient
from connector.outside.sender_domain import Txt, check_domain
from connector.store import providers
from connector.testing.fakes.providers import GOOD_KEY, FakeProviders

APP = """
schema = 1
[app]
base_url = "BASE"
database = "sqlite:///FOLDER/kiitos.db"
master_key = { file = "FOLDER/master.key", generate = true }
[channels.main]
kind = "resend"
api_key = { env = "RESEND" }
url = "URL"
[channels.backup]
kind = "mailgun"
api_key = { env = "MAILGUN" }
url = "URL"
domain = "mg.aurora.example"
rate = "600/min"
[defaults]
email = ["main", "backup"]
[clients.demo.shops.aurora]
platform = "woocommerce"
url = "https://aurora.example"
name = "Aurora"
sender = "Aurora <orders@aurora.example>"
webhook_secret = { env = "WOO" }
"""


def spki(bits: int) -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits).public_key()
    return b64encode(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


LONG, SHORT = spki(2048), spki(1024)
GOOD = {
    "aurora.example": ["v=spf1 include:amazonses.com include:mailgun.org ~all", "google-site-verification=x"],
    "amazonses.com": ["v=spf1 ip4:192.0.2.0/24 -all"],
    "mailgun.org": ["v=spf1 ip4:198.51.100.0/24 -all"],
    "resend._domainkey.aurora.example": [f"p={LONG}"],
    "mx._domainkey.aurora.example": [f"k=rsa; p={LONG}"],
    "_dmarc.aurora.example": ["v=DMARC1; p=none; rua=mailto:d@aurora.example"],
}


def zone(records: Mapping[str, Sequence[str]]) -> Txt:
    def ask(name: str) -> Sequence[str]:
        found = records.get(name, [])
        if found == ["SERVFAIL"]:
            raise Transient(f"the name server did not tell about {name}")
        return found

    return ask


def found(
    records: Mapping[str, Sequence[str]], kind: str = "resend", selector: str = "", domain: str = "aurora.example"
):
    return {each.code: each.verdict for each in check_domain(domain, kind, selector, zone(records))}


def test_a_domain_in_order() -> None:
    assert found(GOOD) == {"spf": Verdict.OK, "dkim": Verdict.OK, "dmarc": Verdict.OK}
    assert found(GOOD, "mailgun") == {"spf": Verdict.OK, "dkim": Verdict.OK, "dmarc": Verdict.OK}


EIGHT = {f"n{n}.example": ["v=spf1 a mx ~all"] for n in range(4)}


@pytest.mark.parametrize(
    ("change", "code", "verdict"),
    [
        ({"aurora.example": []}, "spf_missing", Verdict.WARN),
        ({"aurora.example": ["v=spf1 -all", "v=spf1 ~all"]}, "spf_many", Verdict.FAIL),
        ({"aurora.example": ["v=spf1 include:amazonses.com +all"]}, "spf_open", Verdict.FAIL),
        ({"aurora.example": ["v=spf1 ip4:192.0.2.1 ~all"]}, "spf_without", Verdict.WARN),
        ({"aurora.example": ["V=SPF1 redirect=amazonses.com"]}, "spf", Verdict.OK),
        ({"aurora.example": ["v=spf10 include:amazonses.com"]}, "spf_missing", Verdict.WARN),
        (
            {"aurora.example": ["v=spf1 " + " ".join(f"include:n{n}.example" for n in range(4)) + " ~all"], **EIGHT},
            "spf_long",
            Verdict.FAIL,
        ),
        ({"aurora.example": ["v=spf1 include:aurora.example ~all"]}, "spf_long", Verdict.FAIL),
        ({"aurora.example": ["SERVFAIL"]}, "dns", Verdict.WARN),
        ({"resend._domainkey.aurora.example": []}, "dkim_missing", Verdict.FAIL),
        ({"resend._domainkey.aurora.example": ["v=DKIM1; p="]}, "dkim_revoked", Verdict.FAIL),
        ({"resend._domainkey.aurora.example": [f"v=DKIM1; p={SHORT}"]}, "dkim", Verdict.OK),
        ({"resend._domainkey.aurora.example": ["v=DKIM1; p=nonsense!"]}, "dkim", Verdict.OK),
        ({"_dmarc.aurora.example": []}, "dmarc_missing", Verdict.FAIL),
        ({"_dmarc.aurora.example": ["v=DMARC1; p=none", "v=DMARC1; p=reject"]}, "dmarc_many", Verdict.FAIL),
        ({"_dmarc.aurora.example": ["v=DMARC1; rua=mailto:x@y.example"]}, "dmarc_bad", Verdict.FAIL),
        ({"_dmarc.aurora.example": ["SERVFAIL"]}, "dns", Verdict.WARN),
    ],
)
def test_what_is_wrong_with_a_domain_is_named(change: dict[str, list[str]], code: str, verdict: Verdict) -> None:
    assert found({**GOOD, **change}).get(code) is verdict


def test_a_key_too_short_for_receivers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.outside.sender_domain._LEAST_BITS", 2048)
    assert found({**GOOD, "resend._domainkey.aurora.example": [f"p={SHORT}"]})["dkim_short"] is Verdict.FAIL
    curve = ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    records = {**GOOD, "resend._domainkey.aurora.example": [f"k=ed25519; p={b64encode(curve).decode()}"]}
    assert found(records)["dkim"] is Verdict.OK


def test_a_subdomain_is_covered_by_its_parents_policy_unless_that_is_strict() -> None:
    records = {"_dmarc.aurora.example": ["v=DMARC1; p=reject; sp=none"]}
    told = {each.code: dict(each.values) for each in check_domain("mail.aurora.example", "resend", "", zone(records))}
    assert (told["dmarc"]["policy"], told["dmarc"]["name"]) == ("none", "aurora.example")
    strict = {"_dmarc.aurora.example": ["v=DMARC1; p=reject; adkim=s"]}
    assert found(strict, domain="mail.aurora.example")["dmarc_strict"] is Verdict.WARN


def test_selectors_of_ones_own_and_unknown_ones() -> None:
    assert found(GOOD, "postmark")["dkim_unknown"] is Verdict.WARN
    assert found({**GOOD, "pm1._domainkey.aurora.example": [f"p={LONG}"]}, "postmark", "pm1")["dkim"] is Verdict.OK
    assert found(GOOD, "resend", "other")["dkim_missing"] is Verdict.FAIL


def test_nobody_sends_for_a_mailbox_provider() -> None:
    assert found(GOOD, domain="gmail.com") == {"public_domain": Verdict.FAIL}


class Desk:
    def __init__(self, folder: Path, base: str, url: str) -> None:
        self.path = folder / "app.toml"
        text = APP.replace("FOLDER", str(folder)).replace("BASE", base).replace("URL", url)
        self.path.write_text(text, "utf-8")

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(cli, ["-c", str(self.path), "channels", *words])


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RESEND", "MAILGUN"):
        monkeypatch.setenv(name, GOOD_KEY)
    monkeypatch.setenv("WOO", "w" * 40)
    monkeypatch.setattr(command, "system_txt", lambda: zone(GOOD))


def test_all_well(tmp_path: Path, environ: None) -> None:
    with FakeProviders() as running:
        told = Desk(tmp_path, "https://mail.aurora.example", running.url).run("check")
        assert running.box == [], "nothing is sent to anybody"
    assert told.exit_code == 0, told.output
    assert "fail" not in told.output
    assert told.output.count("the provider lets us in") == 2
    assert GOOD_KEY not in told.output


def test_what_is_wrong_is_told_with_its_remedy(tmp_path: Path, environ: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILGUN", "sk-wrong")
    monkeypatch.setattr(command, "system_txt", lambda: zone({}))
    with FakeProviders() as running:
        told = Desk(tmp_path, "http://mail.aurora.example", running.url).run("check", "--json")
    assert told.exit_code == 1
    rows = [(row["channel"], row["code"], row["verdict"]) for row in json.loads(told.output)]
    assert ("backup", "credentials", "fail") in rows
    assert ("main", "credentials", "ok") in rows
    assert ("main, aurora.example", "dmarc_missing", "fail") in rows
    assert ("main", "one_click", "fail") in rows
    assert "sk-wrong" not in told.output
    assert "_dmarc.aurora.example" in told.output


def test_one_channel_and_one_that_is_none(tmp_path: Path, environ: None) -> None:
    with FakeProviders() as running:
        desk = Desk(tmp_path, "https://mail.aurora.example", running.url)
        assert {row["channel"] for row in json.loads(desk.run("check", "main", "--json").output)} == {
            "main",
            "main, aurora.example",
        }
        assert "no channel 'mian'" in str(desk.run("check", "mian").exception)


def test_a_table_that_is_wrong_is_a_finding(tmp_path: Path, environ: None) -> None:
    desk = Desk(tmp_path, "https://mail.aurora.example", "http://elsewhere.example")
    told = desk.run("check", "--json")
    assert told.exit_code == 1
    assert {row["code"] for row in json.loads(told.output)} == {"settings"}


def test_the_list_tells_rates_and_what_is_closed(tmp_path: Path, environ: None) -> None:
    desk = Desk(tmp_path, "https://mail.aurora.example", "https://api.example.com")
    kiitos = load(desk.path)
    now = kiitos.clock.now()
    with kiitos.store.work.transaction() as tx:
        providers.block(tx, "main", now + timedelta(hours=1), "429")
        providers.fail(tx, providers.Breaker(shop_id="demo-aurora", provider="backup", failures=4, open_until=now))
    kiitos.close()
    first, second = json.loads(desk.run("list", "--json").output)
    assert (first["name"], first["kind"], first["rate"], first["shops"]) == (
        "main",
        "resend",
        "2 in 1 s",
        ["demo-aurora"],
    )
    assert first["waits_until"]
    assert (second["rate"], second["failing_for"]) == ("600 in 60 s", ["demo-aurora"])
    assert "resend" in desk.run("list").output


def test_the_kit_from_the_command_line(tmp_path: Path, environ: None) -> None:
    desk = Desk(tmp_path, "https://mail.aurora.example", "https://api.example.com")
    told = desk.run("kit", "resend")
    assert told.exit_code == 0, told.output
    assert "an answer that never came is unknown" in told.output
    assert "no channel 'resnd'" in str(desk.run("kit", "resnd").exception)
    assert "no stage" in str(desk.run("kit", "memory").exception)


def test_every_finding_has_a_sentence() -> None:
    known = {name.removesuffix("_fail") for name in SENTENCES}
    assert {"credentials", "unreachable", "busy", "spf", "dkim", "dmarc", "one_click", "settings", "dns"} <= known
