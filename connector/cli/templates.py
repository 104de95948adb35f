"""`kiitos templates`: check them, look at them, send one to yourself, and hand their texts to a translator."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from connector.cli.context import App, json_option, print_json, print_table
from connector.errors import ConfigError, TemplateError, near

if TYPE_CHECKING:
    from flows.render.cage import Fault
    from flows.render.renderer import Renderer


@click.group()
def templates() -> None:
    """Check the messages' templates, look at them, and translate their texts.

    SHOP chooses the folders and the brand app.toml gives that shop; without it, the shipped templates.

    \b
    Examples:
      kiitos templates list
      kiitos templates check demo-aurora order_confirmation --language en
      kiitos templates missing --language fi
      kiitos templates export sv sv.po
    """


def renderer_of(app: App, shop: str | None) -> Renderer:
    """The renderer with the shop's folders and brand; ours without a shop. Raises `ConfigError` for none of that id."""
    from flows.render.renderer import Renderer

    if shop is None:
        return Renderer()
    settings = app.whole_config.shop(shop)
    return Renderer().under(settings.templates, settings.brand)


@templates.command("list")
@click.argument("shop", required=False)
@json_option
@click.pass_obj
def list_templates(app: App, shop: str | None, as_json: bool) -> None:
    """Every template, the languages it is written in whole, and whether it is SHOP's own."""
    renderer = renderer_of(app, shop)
    sources, found = renderer.sources, []
    for name in sorted({*renderer.names(), *sources.own_names()}):
        written = [language for language in renderer.languages() if sources.has(name, language)]
        own = [language for language in written if not sources.shipped(name, language)]
        found.append({"template": name, "languages": written, "own": own})
    if as_json:
        print_json(found)
        return
    rows = [(row["template"], " ".join(row["languages"]), " ".join(row["own"])) for row in found]
    print_table([(str(name), languages, own) for name, languages, own in rows], ("template", "languages", "own"))


@templates.command()
@click.argument("shop", required=False)
@click.argument("names", nargs=-1)
@click.option("--language", "only", help="Only this language.")
@json_option
@click.pass_obj
def check(app: App, shop: str | None, names: tuple[str, ...], only: str | None, as_json: bool) -> None:
    """Try SHOP's templates with odd orders and look at what comes out: unknown variables and filters, a missing way to
    unsubscribe, size, links, contrast (dark mode too), what mail clients do not show.

    Without NAMES: what SHOP changed, or everything where it changed nothing. They are tried in a process of their own
    with little time and memory. Exit code 1 when something is to be mended.
    """
    from flows.render.cage import Trial, try_out

    renderer = renderer_of(app, shop)
    wanted = _wanted(renderer, names, only)
    faults = try_out(Trial(folders=renderer.sources.folders[:-1], brand=renderer.brand, wanted=tuple(wanted)))
    serious = [fault for fault in faults if fault.serious]
    if as_json:
        from dataclasses import asdict

        print_json({"checked": len(wanted), "faults": [asdict(fault) for fault in faults]})
    else:
        _tell(faults, len(wanted))
    if serious:
        raise click.exceptions.Exit(1)


def _wanted(renderer: Renderer, names: Sequence[str], only: str | None) -> list[tuple[str, str]]:
    sources = renderer.sources
    languages = list(renderer.languages())
    if only is not None and only not in languages:
        raise ConfigError(f"no language '{only}'{near(only, languages)}", where="templates")
    known = sorted({*renderer.names(), *sources.own_names()})
    for name in names:
        if name not in known:
            raise ConfigError(f"no template '{name}'{near(name, known)}", where="templates")
    pairs = [(name, language) for name in names or known for language in ([only] if only else languages)]
    # One that cannot be read in a language is no translation that is missing: it is shown as it is.
    written = [
        (name, language) for name, language in pairs if sources.has(name, language) or _broken(renderer, name, language)
    ]
    mine = [pair for pair in written if not sources.shipped(*pair)]
    return mine if mine and not names else written


def _broken(renderer: Renderer, name: str, language: str) -> bool:
    return name in renderer.sources.own_names() and renderer.language(name, language) == language


def _tell(faults: Sequence[Fault], checked: int) -> None:
    for fault in faults:
        colour = "red" if fault.serious else "yellow"
        click.echo(f"{fault.template} ({fault.language}) " + click.style(fault.kind, fg=colour) + f": {fault.message}")
    serious = sum(fault.serious for fault in faults)
    click.echo(f"{checked} checked, {serious} to mend, {len(faults) - serious} to know")


@templates.command()
@click.argument("shop", required=False)
@click.option("--language", "only", help="Only this language; exit code 1 when something is missing in it.")
@json_option
@click.pass_obj
def missing(app: App, shop: str | None, only: str | None, as_json: bool) -> None:
    """What is not written in each language: a template with a text missing falls back to another language, whole."""
    from flows.render.translation import missing as missing_places

    sources = renderer_of(app, shop).sources
    languages = [only] if only else sources.languages()
    found = {language: missing_places(sources, language) for language in languages}
    if as_json:
        print_json(found)
    for language, places in found.items() if not as_json else ():
        lacking = sorted({place.partition(".")[0] for place in places})
        click.echo(f"{language}: {len(places)} texts missing" + (f" in {len(lacking)} templates" if places else ""))
        if only:
            for place in places:
                click.echo(f"  {place}")
        elif lacking:
            click.echo(f"  {', '.join(lacking)}")
    if only and found[only]:
        raise click.exceptions.Exit(1)


@templates.command("export")
@click.argument("language")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--shop", help="With the texts of this shop's folders and brand.")
@click.pass_obj
def export_texts(app: App, language: str, file: Path, shop: str | None) -> None:
    """Write all texts of LANGUAGE to FILE (PO, as Poedit, Weblate and translators' agencies take it); what is not
    translated yet is empty."""
    from flows.render.translation import export_po

    file.write_bytes(export_po(renderer_of(app, shop).sources, language))
    click.echo(f"{file}: the texts of {language}")


@templates.command("import")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.pass_obj
def import_texts(app: App, file: Path, folder: Path) -> None:
    """Take a translator's FILE into FOLDER, which `templates = "FOLDER"` in app.toml then gives to shops.

    A translation that lost a value (`{{ order.number }}`) or has one it should not have is refused, and nothing is
    written.
    """
    from flows.render.sources import Sources
    from flows.render.translation import import_po, write_language

    del app
    try:
        imported = import_po(file.read_bytes(), Sources())
    except OSError as error:
        raise TemplateError("cannot be read", where=str(file)) from error
    for fault in imported.faults:
        click.echo(f"{file}: {fault}", err=True)
    if imported.faults:
        raise click.exceptions.Exit(1)
    written = write_language(folder, imported)
    count = sum(len(texts) for texts in imported.texts.values()) + len(imported.strings)
    click.echo(f"{imported.language}: {count} texts into {', '.join(str(path) for path in written) or 'nothing'}")


@templates.command()
@click.argument("shop", required=False)
@click.option("--port", default=8322, show_default=True, help="On this machine only.")
@click.pass_obj
def preview(app: App, shop: str | None, port: int) -> None:
    """Look at every template in a browser: sample orders and SHOP's own, all languages, phone and desktop, light and
    dark, with the plain text and the size. Ends with Ctrl-C."""
    from connector.cli.preview import serve

    serve(app, shop, renderer_of(app, shop), port)


@templates.command("send-test")
@click.argument("shop")
@click.argument("name")
@click.option("--to", "address", required=True, help="Your own address.")
@click.option("--language", default="", help="The shop's own unless said.")
@click.option("--sample", default="five_lines", show_default=True, help="The made-up order it is about.")
@click.pass_obj
def send_test(app: App, shop: str, name: str, address: str, language: str, sample: str) -> None:
    """Send template NAME through SHOP's own channel to your address, about a made-up order.

    It is marked as a test, counts nowhere (no caps, no figures, no consent) and stands in the journal of tests.
    """
    from connector.cli.test_message import send

    accepted = send(app, shop, name, address, language, sample)
    click.echo(f"{name}: the channel took it" + (f" as {accepted}" if accepted else ""))
