"""app.toml: layers, provenance, and faults that name their place and a near match."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.config import load_config, merge, parse_config
from connector.errors import ConfigError

GOOD = """
schema = 1
[app]
base_url = "https://hooks.example.com"
database = "sqlite:///work.db"
master_key = { env = "MASTER" }
[channels.mail]
kind = "smtp"
url = { env = "SMTP" }
[defaults]
sender = "Agency <post@agency.example>"
timezone = "Europe/Berlin"
flows.review-request = { file = "review_request", params = { wait = "10d", remind = "7d" } }
[presets.coffee]
flows.review-request.params = { wait = "12d" }
flows.review-request.remove = ["reminder"]
[clients.acme]
extends = "presets.coffee"
name = "Acme Coffee"
[clients.acme.shops.main]
platform = "shopify"
domain = "Acme.myshopify.com"
webhook_secret = { env = "HOOK" }
[clients.acme.shops.outlet]
platform = "woocommerce"
url = "https://outlet.example"
timezone = "Europe/Vienna"
flows.review-request.remove = ["thanks"]
flows.review-request.params = { wait = "14d" }
"""
ENV = {"MASTER": "k1=abc", "SMTP": "smtp://localhost", "HOOK": "hush"}


def load(tmp_path: Path, text: str = GOOD, env: dict[str, str] | None = None):
    path = tmp_path / "app.toml"
    path.write_text(text)
    return load_config(path, ENV if env is None else env)


def test_layers_merge_and_remember_where_each_value_came_from(tmp_path: Path) -> None:
    config = load(tmp_path)
    main, outlet = config.shop("acme-main"), config.shop("acme-outlet")
    assert main.layered.get("flows.review-request.params.wait") == "12d"
    assert main.layered.layer_of("flows.review-request.params.wait") == "presets.coffee"
    assert main.layered.layer_of("flows.review-request.params.remind") == "defaults"
    assert outlet.layered.layer_of("flows.review-request.params.wait") == "clients.acme.shops.outlet"
    assert outlet.shop.timezone == "Europe/Vienna"
    assert main.shop.timezone == "Europe/Berlin"


def test_a_flow_that_is_only_a_file_is_a_table_and_shared_by_no_shop(tmp_path: Path) -> None:
    shared = 'flows.winback = { file = "winback" }\n[presets.coffee]\n'
    changed = GOOD.replace("[presets.coffee]\n", shared).replace(
        "[clients.acme]\n", '[clients.acme]\nflows.review-request = { file = "mine.toml" }\n'
    )
    config = load(tmp_path, changed + 'flows.winback.params = { wait = "90d" }\n')
    main, outlet = config.shop("acme-main").layered, config.shop("acme-outlet").layered
    assert outlet.get("flows.winback.params.wait") == "90d"
    assert main.get("flows.winback") == {"file": "winback"}
    assert main.layer_of("flows.winback.file") == "defaults"
    assert main.get("flows.review-request.file") == "mine.toml"
    assert main.get("flows.review-request.params") == {"wait": "12d", "remind": "7d"}


def test_removes_are_edits_applied_layer_by_layer(tmp_path: Path) -> None:
    (flow,) = load(tmp_path).shop("acme-outlet").flows
    assert flow.removes == (("presets.coffee", ("reminder",)), ("clients.acme.shops.outlet", ("thanks",)))


def test_a_later_scalar_replaces_a_whole_table() -> None:
    layered = merge([("a", {"x": {"y": 1}}), ("b", {"x": 2})])
    assert layered.values == {"x": 2}
    assert layered.origin == {"x": "b"}


def test_secrets_are_looked_up_and_never_shown(tmp_path: Path) -> None:
    settings = load(tmp_path).shop("acme-main")
    assert settings.secrets["webhook_secret"] == "hush"
    assert "hush" not in repr(settings)
    assert "k1=abc" not in repr(load(tmp_path).app)


@pytest.mark.parametrize(
    ("was", "now", "says"),
    [
        ('timezone = "Europe/Vienna"', 'timezone = "Europe/Viena"', "did you mean 'Europe/Vienna'?"),
        ("sender =", "sendr =", "unknown key; did you mean 'sender'?"),
        ('extends = "presets.coffee"', 'extends = "presets.cofee"', "did you mean 'coffee'?"),
        ('{ env = "HOOK" }', '"hush"', "never the value itself"),
        ('{ env = "HOOK" }', '{ env = "HOOKED" }', "HOOKED is not set"),
        ('platform = "shopify"\n', "", "platform: missing"),
        ("schema = 1", "schema = 2", "schema: should be 1"),
        ('kind = "smtp"', "", 'needs kind = "smtp"'),
        ("[app]\n", '[app]\nmax_body = "11 MiB"\n', "at most 10 MiB"),
        ("[defaults]", '[defaults]\ncurrency = "euro"', "defaults.currency: should be an ISO 4217 code"),
        ("[defaults]", '[defaults]\ncurrency = "EURO"', "such as EUR"),
        ("[presets.coffee]", '[presets.coffee]\ncountry = "Finland"', "presets.coffee.country: should be an ISO 3166"),
        ("[defaults]", '[defaults]\nlocale = "finnish"', "defaults.locale: should be a language such as fi, fi-FI"),
        ("[defaults]", '[defaults]\nlocale = "fi_FI"', "fi-FI"),
        (
            "[defaults]",
            '[defaults]\naccent_color = "red;}</style>"',
            "should be a colour such as #1f5c4d",
        ),
    ],
)
def test_faults_name_their_place_and_the_likely_fix(tmp_path: Path, was: str, now: str, says: str) -> None:
    assert was in GOOD
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, GOOD.replace(was, now))
    assert says in str(caught.value)


@pytest.mark.parametrize("locale", ["fi", "fi-FI", "pt-BR", "zh-Hant-TW", "es-419"])
def test_locales_as_platforms_write_them_are_taken(tmp_path: Path, locale: str) -> None:
    text = GOOD.replace("[defaults]", f'[defaults]\nlocale = "{locale}"\ncurrency = "SEK"\ncountry = "SE"')
    shop = load(tmp_path, text).shop("acme-main").shop
    assert (shop.locale, shop.currency, shop.country) == (locale, "SEK", "SE")


def test_two_shops_that_would_share_one_id_are_refused(tmp_path: Path) -> None:
    shop = 'platform = "shopify"\ndomain = "x.myshopify.com"\nwebhook_secret = { env = "HOOK" }\n'
    text = f"{GOOD}[clients.nordic.shops.outdoor-fi]\n{shop}[clients.nordic-outdoor.shops.fi]\n{shop}"
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert "'nordic-outdoor-fi' like clients.nordic.shops.outdoor-fi" in str(caught.value)
    assert "clients.nordic-outdoor.shops.fi: is called" in str(caught.value)


def test_all_faults_are_listed_in_one_pass(tmp_path: Path) -> None:
    text = GOOD.replace("sender =", "sendr =").replace("schema = 1", "schema = 3").replace("name =", "nmae =")
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert "3 fault(s)" in str(caught.value)


def test_presets_in_a_circle_are_refused(tmp_path: Path) -> None:
    text = GOOD.replace(
        "[presets.coffee]", '[presets.tea]\nextends = "presets.coffee"\n[presets.coffee]\nextends = "presets.tea"'
    )
    with pytest.raises(ConfigError, match="circle"):
        load(tmp_path, text)


def test_a_generated_master_key_is_made_once_and_private(tmp_path: Path) -> None:
    text = GOOD.replace('{ env = "MASTER" }', '{ file = "var/master.key", generate = true }')
    first, second = load(tmp_path, text).app.master_key, load(tmp_path, text).app.master_key
    assert first == second
    assert first.startswith("k1=")
    assert (tmp_path / "var/master.key").stat().st_mode & 0o077 == 0


def test_a_relative_database_starts_at_the_files_folder(tmp_path: Path) -> None:
    assert load(tmp_path).app.database == f"sqlite:///{tmp_path.resolve()}/work.db"


def test_a_document_without_shops_is_fine(tmp_path: Path) -> None:
    config = parse_config({"schema": 1, "app": {"master_key": {"env": "MASTER"}}}, tmp_path / "app.toml", ENV)
    assert config.shops == {}
