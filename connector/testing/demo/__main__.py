"""`make demo`: play the story, tell it, check its outcome, leave a page. `--once` ends by itself, with 0 or 1."""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
from pathlib import Path

import click
from werkzeug.serving import make_server

from connector.testing.demo import expected, scenario
from connector.testing.demo.mailbox import Mail, mailbox, read_mail
from connector.testing.demo.timeline import Timeline
from connector.testing.serving import free_port
from connector.testing.world import World


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--once", is_flag=True, help="Check the outcome and end; for CI.")
@click.option("--port", type=int, default=8322, show_default=True, help="Port of the page with mailbox and timelines.")
@click.option("--keep", type=click.Path(path_type=Path), help="Write every mail as .eml into this folder.")
def main(once: bool, port: int, keep: Path | None) -> None:
    """Play a week of two shops' life, and what follows from it, in accelerated time."""
    folder = Path(tempfile.mkdtemp(prefix="kiitos-demo-"))
    try:
        with World(folder, scenario.MONDAY, unchecked=True) as world:
            click.secho("Kiitos demo: two shops, their platforms, a mail server and the product; times are Helsinki's.")
            if not world.shopify.checked:
                click.echo(
                    "(Shopify's Admin schema is not here, so its fake answers our queries without checking them;"
                )
                click.echo(" scripts/shopify_schema.py fetches it where npm is installed.)")
            timeline = Timeline(world, list(scenario.PEOPLE))
            scenario.play(world, timeline.act)
            timeline.news()
            wrong = expected.faults(world)
            _report(world, wrong)
            mails = [read_mail(number, kept) for number, kept in enumerate(world.sink.messages)]
            if keep is not None:
                _write(keep, world)
            if not once:
                _show(mails, timeline, port)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(1 if wrong else 0)


def _report(world: World, wrong: list[str]) -> None:
    click.echo("")
    click.echo(f"{len(world.sink.messages)} mails left, {expected.checks()} checks made")
    for fault in wrong:
        click.secho(f"WRONG: {fault}", fg="red")
    if not wrong:
        click.secho("Everything is as it must be: every customer heard the right thing once.", fg="green")


def _write(folder: Path, world: World) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, kept in enumerate(world.sink.messages):
        (folder / f"{number:03}.eml").write_bytes(kept.content)


def _show(mails: list[Mail], timeline: Timeline, port: int) -> None:
    """Serve the page until Ctrl-C."""
    try:
        server = make_server("127.0.0.1", port, mailbox(mails, timeline.stories()), threaded=True)
    except (OSError, SystemExit):
        server = make_server("127.0.0.1", free_port(), mailbox(mails, timeline.stories()), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    click.secho(f"\nMailbox and timelines: http://127.0.0.1:{server.port}/   (Ctrl-C ends the demo)", bold=True)
    try:
        while thread.is_alive():
            thread.join(1.0)
    except KeyboardInterrupt:
        server.shutdown()


if __name__ == "__main__":
    main()
