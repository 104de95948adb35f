"""Code in documents: Python parses, TOML parses, and a fragment of app.toml loads in the demo's."""

from __future__ import annotations

import ast
import base64
import tomllib
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from connector.config import parse_config
from connector.config.guides import read_guide
from connector.errors import ConfigError
from connector.registry import CHANNELS, PLATFORMS, STEPS, Registry
from connector.testing.channels import STAGES
from flows.catalog import Catalog, read_list
from flows.definition import load_flow
from flows.render.sources import Sources
from tests.docs.documents import ROOT, Block, blocks, documents, name_of

BLOCKS = [block for path in documents() for block in blocks(path.read_text("utf-8"), name_of(path))]
OPERATORS = {
    "schema",
    "app",
    "backup",
    "flows",
    "events",
    "segments",
    "loyalty",
    "referrals",
    "returns",
    "reviews",
    "surveys",
    "brands",
    "endpoints",
    "people",
    "channels",
    "defaults",
    "presets",
    "clients",
}


def of(language: str) -> list[Block]:
    return [block for block in BLOCKS if block.language == language]


def combined(fragment: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`over` with the tables of `fragment` laid on it."""
    both = dict(over)
    for key, value in fragment.items():
        known = both.get(key)
        tables = isinstance(value, dict) and isinstance(known, dict) and not value.keys() <= {"env", "file"}
        both[key] = combined(value, known) if tables else value
    return both


NAMED = (
    "AURORA_CLIENT_ID",
    "AURORA_CLIENT_SECRET",
    "BOUNCES_MAILBOX",
    "ELKS_PASSWORD",
    "ELKS_USERNAME",
    "METSA_KEY",
    "METSA_SECRET",
    "POSTMARK_TOKEN",
    "PUSH_PRIVATE_KEY",
    "RESEND_KEY",
    "SMTP_URL",
    "TWILIO_AUTH_TOKEN",
    "WHATSAPP_APP_SECRET",
    "WHATSAPP_TOKEN",
    "WHATSAPP_VERIFY_TOKEN",
)
ENVIRONMENT = dict.fromkeys(NAMED, "x" * 40) | {
    "BOUNCES_MAILBOX": "imaps://user:password@imap.example.com/INBOX",
    "KIITOS_BROKER": "redis://127.0.0.1/0",
    "KIITOS_DATABASE": "postgresql://kiitos@127.0.0.1/kiitos",
    "KIITOS_MASTER_KEY": "k1=" + base64.b64encode(bytes(range(32))).decode(),
}
"""Most may be any secret; these have a form."""
"""Variables that documents take for set."""
FLOWS_PAGE = "docs/flows.md"
STEP_TYPES = Registry().steps


def whole(keys: str) -> str:
    """A flow with these keys; what they leave out is the plainest there is."""
    given = tomllib.loads(keys)
    rest = {"id": "shown", "purpose": "transactional", "trigger": "order.paid"}
    lines = [f'{key} = "{value}"' for key, value in rest.items() if key not in given]
    return "\n".join([*lines, keys, '[[steps]]\nid = "end"\ndo = "exit"'])


def load(document: dict[str, Any], folder: Path) -> None:
    """As `kiitos config check` does, without a database. Raises `ConfigError` with every fault."""
    config = parse_config(document, folder / "app.toml", ENVIRONMENT)
    Catalog(config, Registry(), frozenset(Sources().names("en")))


def demo() -> dict[str, Any]:
    return tomllib.loads((ROOT / "app.toml").read_text("utf-8"))


def test_blocks_say_a_language_we_check() -> None:
    assert {block.language for block in BLOCKS} <= {"", "python", "toml", "sh", "bash", "console", "sql", "html"}


@pytest.mark.parametrize("block", of("python"), ids=lambda block: block.place)
def test_python_parses(block: Block) -> None:
    assert ast.parse(block.text, block.where).body


@pytest.mark.parametrize("block", of("toml"), ids=lambda block: block.place)
def test_toml_loads(block: Block, tmp_path: Path) -> None:
    fragment = tomllib.loads(block.text)
    if "project" in fragment:
        groups = fragment["project"]["entry-points"]
        assert set(groups) <= {PLATFORMS, CHANNELS, STEPS, STAGES}
        return
    if set(fragment) == {"steps"}:  # some steps of a flow
        flow = f'id = "shown"\ntrigger = "order.paid"\npurpose = "review"\n{block.text}'
        lists = partial(read_list, tmp_path)
        assert load_flow(flow, where=block.place, registry_steps=Registry().steps, lists=lists).steps
        return
    if block.where == FLOWS_PAGE and not set(fragment) & OPERATORS:  # a flow's file, or a few keys of one
        text = block.text if "id" in fragment else whole(block.text)
        assert load_flow(text, where=block.place, registry_steps=STEP_TYPES).steps
        return
    if "signature" in fragment:  # a kit.toml: the page that shows it is run by test_adding_a_platform
        assert {"shop", "signature"} <= set(fragment)
        return
    if "care_after" in fragment:  # a merchant's guide
        faults: list[str] = []
        assert read_guide(fragment, "guide", block.place, faults) is not None, faults
        return
    assert set(fragment) <= OPERATORS
    load(combined(fragment, demo()), tmp_path)


@pytest.mark.parametrize(
    ("fragment", "fault"),
    [
        ("[clients.demo.shops.aurora]\nflows.review-request.params = { wiat = '14d' }", "wait"),
        ("[clients.demo.shops.aurora]\nflows.delivery-updates.remove = ['delay']", "delayed"),
        ("[clients.demo.shops.aurora]\nsendr = 'x'", "sender"),
    ],
)
def test_a_wrong_fragment_would_be_found(fragment: str, fault: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=fault):
        load(combined(tomllib.loads(fragment), demo()), tmp_path)


REMOVALS = [
    ("review-request", ["reward", "thanks"]),
    ("review-request", ["reminder"]),
    *(
        ("delivery-updates", [step])
        for step in (
            "shipped",
            "delayed",
            "out_for_delivery",
            "ready_for_pickup",
            "attempted",
            "failed",
            "delivered",
        )
    ),
]
"""What docs/merchant.md says may be removed."""


@pytest.mark.parametrize(("flow", "steps"), REMOVALS)
def test_what_merchants_are_told_to_remove_can_be_removed(flow: str, steps: list[str], tmp_path: Path) -> None:
    text = (ROOT / "docs/merchant.md").read_text("utf-8")
    assert [step for step in steps if f"`{step}`" not in text] == []
    fragment = {"clients": {"demo": {"shops": {"aurora": {"flows": {flow: {"remove": steps}}}}}}}
    load(combined(fragment, demo()), tmp_path)


def test_what_is_commented_out_in_app_toml_loads_too(tmp_path: Path) -> None:
    """The lines `# key = ...` an operator is told to uncomment."""
    text = (ROOT / "app.toml").read_text("utf-8")
    offered = [line[2:] for line in text.split("\n") if line.startswith("# ") and " = {" in line]
    assert len(offered) >= 4
    for line in offered:
        text = text.replace(f"# {line}", line)
    config = parse_config(tomllib.loads(text), tmp_path / "app.toml", ENVIRONMENT)
    assert set(config.shops["demo-metsa"].secrets) >= {"consumer_key", "consumer_secret"}
