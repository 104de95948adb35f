"""shopify.app.toml as the CLI reads it: every key known, every rule of the CLI kept, and back through tomllib."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from connector.cli import cli
from platforms.shopify.adapter import TOPICS
from platforms.shopify.app_file import COMPLIANCE, AppFile, document, to_toml
from platforms.shopify.client import API_VERSION
from platforms.shopify.install import OPTIONAL_SCOPES, REQUIRED_SCOPES
from platforms.shopify.records import NEWEST
from platforms.shopify.reviews import TYPE

APP = AppFile(client_id="abc123", base_url="https://kiitos.example", hook_url="https://kiitos.example/hooks/shopify/k")

# The schema's shape (facts/shopify.md section 2.2): name to type, `*` any name, `[]` a list of tables.
SHAPE: dict[str, Any] = {
    "client_id": str, "name": str, "handle": str, "application_url": str, "embedded": bool,
    "access_scopes": {"scopes": str, "required_scopes": list, "optional_scopes": list, "use_legacy_install_flow": bool},
    "auth": {"redirect_urls": list},
    "webhooks": {
        "api_version": str,
        "subscriptions": [{"topics": list, "compliance_topics": list, "uri": str, "filter": str, "name": str}],
    },
    "app_proxy": {"url": str, "subpath": str, "prefix": str},
    "product": {
        "metafields": {"app": {"*": {"name": str, "type": str, "access": {"admin": str, "storefront": str}}}},
    },
    "metaobjects": {
        "app": {
            "*": {
                "name": str,
                "display_name_field": str,
                "access": {"admin": str, "storefront": str},
                "capabilities": {"publishable": bool, "translatable": bool, "renderable": bool},
                "fields": {"*": {"name": str, "type": str, "required": bool, "validations": {"*": str}}},
            }
        }
    },
}  # fmt: skip
REQUIRED = {"client_id", "name", "application_url", "embedded", "auth", "webhooks"}


def misfits(found: Any, shape: Any, place: str = "") -> list[str]:
    """Where `found` is not of the shape."""
    if isinstance(shape, type):
        return [] if type(found) is shape else [f"{place}: {type(found).__name__} instead of {shape.__name__}"]
    if isinstance(shape, list):
        return [fault for i, row in enumerate(found) for fault in misfits(row, shape[0], f"{place}[{i}]")]
    faults = []
    for key, value in found.items():
        wanted = shape.get(key, shape.get("*"))
        faults += [f"{place}.{key}: unknown"] if wanted is None else misfits(value, wanted, f"{place}.{key}")
    return faults


def read(app: AppFile = APP) -> dict[str, Any]:
    return tomllib.loads(to_toml(document(app)))


SMALL = replace(APP, client_id="", embedded=False, all_topics=False, handle="kiitos", added_scopes=("read_returns",))


@pytest.mark.parametrize("app", [APP, SMALL], ids=["hosted", "own"])
def test_the_file_has_the_shape_the_cli_reads(app: AppFile) -> None:
    found = read(app)
    assert misfits(found, SHAPE) == []
    assert set(found) >= REQUIRED
    assert found == document(app)


def test_the_check_of_the_shape_would_find_a_fault() -> None:
    wrong: Mapping[str, Any] = {**document(APP), "embedded": "yes", "colour": "red"}
    assert misfits(wrong, SHAPE) == [".embedded: str instead of bool", ".colour: unknown"]


def test_webhooks_hold_every_topic_once_and_the_compliance_topics() -> None:
    found = read(replace(APP, added_scopes=("read_returns", "read_customer_merge")))
    subscriptions = found["webhooks"]["subscriptions"]
    assert found["webhooks"]["api_version"] == API_VERSION
    heard = [topic for row in subscriptions for topic in (*row.get("topics", ()), *row.get("compliance_topics", ()))]
    assert sorted(heard) == sorted(TOPICS)
    assert {t for row in subscriptions for t in row.get("compliance_topics", ())} == set(COMPLIANCE)
    assert all(row["uri"].startswith("https://") for row in subscriptions)


def test_the_proxy_leads_to_the_key_of_the_hook_address() -> None:
    assert read()["app_proxy"] == {"url": "https://kiitos.example/p/proxy/k", "subpath": "kiitos", "prefix": "apps"}


def test_a_topic_whose_scope_is_not_asked_for_is_left_out() -> None:
    """The CLI refuses to deploy such a file."""
    topics = {topic for row in read()["webhooks"]["subscriptions"] for topic in row.get("topics", ())}
    assert not [topic for topic in topics if topic.startswith("returns/")]
    assert "customers/merge" not in topics
    assert "orders/paid" in topics


def test_scopes_are_asked_for_once() -> None:
    found = read(replace(APP, added_scopes=("write_orders",)))
    asked = found["access_scopes"]["scopes"].split(",")
    assert set(asked) == {*REQUIRED_SCOPES, "write_orders"}
    assert set(found["access_scopes"]["optional_scopes"]) == set(OPTIONAL_SCOPES) - {"write_orders"}


def test_reviews_are_defined_as_they_are_written() -> None:
    """The fields `publish_review` sends, and drafts, which need the capability."""
    source = (Path(__file__).parents[3] / "platforms/shopify/reviews.py").read_text("utf-8")
    written = re.findall(r"    return \{\n(.*?)\n    \}", source, re.DOTALL)
    assert len(written) == 2
    review = read()["metaobjects"]["app"]["review"]
    assert set(re.findall(r'        "(\w+)":', "\n".join(written))) == set(review["fields"])
    assert review["capabilities"]["publishable"] is True


def test_the_list_of_the_newest_is_declared_as_it_is_written() -> None:
    """In `$app`, under the key that is written, of the objects that are written."""
    declared = read()["product"]["metafields"]["app"]
    assert declared[NEWEST]["type"] == f"list.metaobject_reference<{TYPE}>"
    assert declared[NEWEST]["access"]["storefront"] == "public_read"


def test_odd_texts_come_back_as_they_were() -> None:
    odd = {"a": 'quote " and \\ and \n and \x7f and ä', "b c": True, "list": ["x" * 50, "y" * 50], "empty": []}
    assert tomllib.loads(to_toml({**odd, "t": {"u": {"v": "w"}}})) == {**odd, "t": {"u": {"v": "w"}}}


CONFIG = """
schema = 1
[app]
base_url = "https://kiitos.example"
database = "sqlite:///FOLDER/kiitos.db"
master_key = { file = "FOLDER/master.key", generate = true }
[connect]
client = "acme"
[connect.apps.shopify]
client_id = "abc123"
client_secret = { env = "APP_SECRET" }
scopes = "read_returns"
[channels.mail]
kind = "smtp"
url = "smtp://127.0.0.1:9"
tls = "none"
[defaults]
email = "mail"
[clients.acme]
"""


def test_the_command_prints_and_writes_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_SECRET", "never-shown")
    config = tmp_path / "app.toml"
    config.write_text(CONFIG.replace("FOLDER", str(tmp_path)), "utf-8")

    def run(*words: str) -> Any:
        return CliRunner().invoke(cli, ["-c", str(config), "shopify", "app-config", *words])

    printed = run()
    assert printed.exit_code == 0, printed.output
    found = tomllib.loads(printed.stdout)
    assert (found["client_id"], found["application_url"]) == ("abc123", "https://kiitos.example/connect/from/shopify")
    assert "returns/request" in {t for row in found["webhooks"]["subscriptions"] for t in row.get("topics", ())}
    assert "never-shown" not in printed.output
    target = tmp_path / "shopify.app.toml"
    assert run("-o", str(target)).exit_code == 0
    assert tomllib.loads(target.read_text("utf-8")) == found
    again = run("-o", str(target))
    assert "is there already" in str(again.exception)
    assert run("-o", str(target), "--force", "--compliance-only").exit_code == 0
    short = tomllib.loads(target.read_text("utf-8"))["webhooks"]["subscriptions"]
    assert [set(row) for row in short] == [{"compliance_topics", "uri"}]


def test_a_merchants_own_app_hears_at_its_shops_address(tmp_path: Path) -> None:
    config = tmp_path / "app.toml"
    text = CONFIG.replace("FOLDER", str(tmp_path))
    hosted = text.index("[connect.apps.shopify]"), text.index("[channels.mail]")
    shop = """[clients.acme.shops.main]
platform = "shopify"
domain = "acme.myshopify.com"
name = "Acme"
sender = "Acme <orders@acme.example>"
webhook_secret = { file = "FOLDER/secret", generate = true }
client_id = "own-id"
""".replace("FOLDER", str(tmp_path))
    config.write_text(text[: hosted[0]] + text[hosted[1] :] + shop, "utf-8")

    def run(*words: str) -> Any:
        return CliRunner().invoke(cli, ["-c", str(config), *words])

    found = tomllib.loads(run("shopify", "app-config", "--shop", "acme-main").stdout)
    listed = json.loads(run("shops", "list", "--json").stdout)
    assert (found["client_id"], found["embedded"]) == ("own-id", False)
    assert {row["uri"] for row in found["webhooks"]["subscriptions"]} == {listed[0]["webhook_url"]}
    assert "connect.apps.shopify" in str(run("shopify", "app-config").exception)
