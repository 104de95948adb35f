"""Every shipped form for phones: it renders whatever the order lacks, is short, and says who writes."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from click.testing import CliRunner

from connector.cli import cli
from connector.errors import TemplateError
from flows.render.renderer import Renderer
from flows.render.samples import samples
from flows.render.sms import GSM, fold, segments
from flows.render.sources import Sources

FILES = sorted(Sources().directory.glob("*/*.sms.liquid"))
LANGUAGES = {"en", "fi", "sv", "de", "ja", "ar"}
RENDERER = Renderer()


def test_the_core_messages_have_one_in_six_languages() -> None:
    found: dict[str, set[str]] = {}
    for path in FILES:
        found.setdefault(path.name.split(".")[0], set()).add(path.parent.name)
    core = {"order_confirmation"} | {
        f"shipment_{each}" for each in ("shipped", "out_for_delivery", "delivered", "failed", "ready_for_pickup")
    }
    assert {name for name, languages in found.items() if languages == LANGUAGES} >= core


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.name.split('.')[0]}")
def test_a_text_is_short_with_every_sample(path: object) -> None:
    assert hasattr(path, "parent")
    language, name = path.parent.name, path.name.split(".")[0]
    for sample, view in samples().items():
        if name.startswith("shipment_") and view.shipment is None:
            continue
        text = RENDERER.small(name, "sms", view, language)
        assert text is not None
        assert "\n" not in text
        assert view.shop.name in text
        counted = segments(fold(text))
        latin = language not in ("ja", "ar")
        assert counted.parts <= (2 if latin else 4), f"{sample}: {text}"
        if latin and sample == "five_lines":
            assert counted.encoding == GSM, f"{counted.dear}: {text}"


def test_a_language_without_the_form_falls_back_whole() -> None:
    view = samples()["five_lines"]
    assert RENDERER.small("order_confirmation", "sms", view, "sv-SE", "en") == RENDERER.small(
        "order_confirmation", "sms", view, "sv"
    )
    assert RENDERER.small("order_confirmation", "sms", view, "et", "de") == RENDERER.small(
        "order_confirmation", "sms", view, "de"
    )
    assert RENDERER.small("order_confirmation", "sms", view, "et") == RENDERER.small(
        "order_confirmation", "sms", view, "en"
    )
    assert RENDERER.small("order_cancelled", "push", view, "en") is None


def test_a_misspelt_name_is_told_with_its_place(tmp_path: object) -> None:
    import shutil
    from pathlib import Path

    folder = Path(str(tmp_path)) / "templates"
    shutil.copytree(Sources().directory, folder)
    (folder / "en" / "order_confirmation.sms.liquid").write_text("Hi\n{{ ordr.number }}\n", "utf-8")
    with pytest.raises(TemplateError, match=r"en/order_confirmation\.sms\.liquid:2:4"):
        Renderer(folder).small("order_confirmation", "sms", samples()["five_lines"], "en")


def test_the_command_counts_and_names_what_is_dear() -> None:
    runner = CliRunner()
    plain = runner.invoke(cli, ["sms", "count", "Hinta 1\u00a0234,50 \u20ac"])
    assert plain.output == "1 SMS, GSM-7, 143 septets left in the last\n"
    dear = runner.invoke(cli, ["sms", "count", "Kiitos 🎉 áá"])
    assert "UCS-2 because of: 🎉 á" in dear.output
    listed = json.loads(runner.invoke(cli, ["sms", "list", "--json"]).output)
    assert len(listed) == len(FILES)
    assert {row["language"] for row in listed} == LANGUAGES


@pytest.mark.parametrize("name", ["shipment_shipped", "shipment_delivered", "review_request"])
def test_what_is_worth_a_notification_has_words_of_its_own(name):
    """In all six languages: else who reads another one would get English instead of the mail's subject."""
    assert RENDERER.small_languages(name, "push") == list(RENDERER.languages())
    for language in RENDERER.languages():
        told = RENDERER.small(name, "push", samples()["five_lines"], language)
        title, _, body = told.partition("\n")
        assert 0 < len(title) <= 60, (name, language)
        assert body, (name, language)
        # It may be read on a locked screen by anybody: not who it is.
        assert not re.search("Aino|Mäkinen", told), (name, language)


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_who_is_asked_on_a_phone_is_told_of_a_reward_where_there_is_one(language: str) -> None:
    """Whatever the stars; without a reward nobody is promised one. A notification still fits."""
    view = samples()["five_lines"]
    promise = RENDERER.prepared("review_request", language).strings.text("review.rewarded_briefly")
    for rewarded in (True, False):
        told = RENDERER.small("review_request", "push", replace(view, rewarded=rewarded), language)
        assert (promise in told) is rewarded
        assert len(told.partition("\n")[2]) <= 178
