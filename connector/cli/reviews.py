"""`kiitos reviews`: what customers wrote, what waits for a person, and lists from and for other apps."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from connector.cli.context import App, json_option, print_json, print_table
from connector.clock import to_text

if TYPE_CHECKING:
    from connector.store.db import Tx
    from connector.store.reviews import ReviewRow

_SHOP = click.argument("shop")
_BY = click.option("--by", help="Who decides; without it, your name on this machine.")
_STATES = ("held", "published", "hidden", "withdrawn")


@click.group()
def reviews() -> None:
    """Look at reviews, decide about those that wait, answer, and take lists in and out.

    \b
    Examples:
      kiitos reviews queue acme-main
      kiitos reviews answer acme-main 1042-77 "Thank you! A new handle is on its way."
      kiitos reviews widget acme-main
    """


@reviews.command()
@_SHOP
@click.option("--state", type=click.Choice(_STATES), default="held", show_default=True, help="Which ones.")
@click.option("--product", default="", help="Only those of the product with this id.")
@click.option("--limit", default=100, show_default=True, help="At most so many, the oldest first.")
@json_option
@click.pass_obj
def queue(app: App, shop: str, state: str, product: str, limit: int, as_json: bool) -> None:
    """What waits for a person, and why; unhappy ones first. Nothing waits because of its stars.

    \b
    Example:
      kiitos reviews queue acme-main
      kiitos reviews queue acme-main --state published --product 77
    """
    from connector.store import reviews as store
    from connector.store.reviews import ReviewState

    unhappy = app.kiitos.catalog.settings(_known(app, shop)).reviews.unhappy
    with app.kiitos.store.work.read() as tx:
        found = store.in_state(tx, shop, ReviewState(state), limit, product)
    found.sort(key=lambda row: (not 0 < row.rating <= unhappy, row.at))
    if as_json:
        print_json([_told(row) for row in found])
        return
    names = ("id", "at", "stars", "product", "why", "text")
    print_table([tuple(_told(row)[name] for name in names) for row in found], names)


@reviews.command()
@_SHOP
@click.argument("review")
@json_option
@click.pass_obj
def show(app: App, shop: str, review: str, as_json: bool) -> None:
    """One REVIEW with what shows that its author bought the product, and its history. Exit code 1: there is none.

    \b
    Example:
      kiitos reviews show acme-main 1042-77
    """
    from connector.store import reviews as store

    with app.kiitos.store.work.read() as tx:
        row = _row(app, tx, shop, review)
        past = store.history(tx, shop, review)
    told = {**_told(row), "text": row.text, "proof": dict(row.proof), "answer": row.answer, "revision": row.revision}
    lines = [
        {"at": to_text(each.at), "what": each.what, "by": each.by, "note": each.note, "said": each.text}
        for each in past
    ]
    if as_json:
        print_json({**told, "history": lines})
        return
    for name, value in told.items():
        click.echo(f"{name:10} {value}")
    print_table([tuple(line.values()) for line in lines], ("at", "what", "by", "note", "it said until then"))


@reviews.command()
@_SHOP
@click.argument("review", nargs=-1, required=True)
@_BY
@click.option("--note", default="", help="Why, for the history.")
@click.pass_obj
def approve(app: App, shop: str, review: tuple[str, ...], by: str | None, note: str) -> None:
    """Let everybody read each REVIEW: one that is held, hidden, or waits for its time.

    \b
    Example:
      kiitos reviews approve acme-main 1042-77 1043-12
    """
    from flows.reviews import reviewing

    now = app.kiitos.clock.now()
    _decide(
        app, shop, review, lambda tx, row, who: reviewing.show(tx, app.kiitos.runner, shop, row, who, now, note), by
    )


@reviews.command()
@_SHOP
@click.argument("review", nargs=-1, required=True)
@click.option("--reason", required=True, help="Why: it is kept with the review. Its stars are no reason.")
@_BY
@click.pass_obj
def hide(app: App, shop: str, review: tuple[str, ...], reason: str, by: str | None) -> None:
    """Hide each REVIEW from everybody, here and in the shop.

    \b
    Example:
      kiitos reviews hide acme-main 1042-77 --reason "names a neighbour"
    """
    from flows.reviews import reviewing

    now = app.kiitos.clock.now()

    def act(tx: Tx, row: ReviewRow, who: str) -> bool:
        return reviewing.hide(tx, app.kiitos.runner, shop, row, who, reason, now)

    _decide(app, shop, review, act, by)


@reviews.command()
@_SHOP
@click.argument("review")
@click.argument("text")
@_BY
@click.pass_obj
def answer(app: App, shop: str, review: str, text: str, by: str | None) -> None:
    """Answer REVIEW in public; an empty TEXT takes the answer back. The flow review_answer mails it to the customer.

    \b
    Example:
      kiitos reviews answer acme-main 1042-77 "Thank you! A new handle is on its way."
    """
    from flows.reviews import reviewing

    now = app.kiitos.clock.now()
    _decide(
        app,
        shop,
        (review,),
        lambda tx, row, who: reviewing.answer(tx, app.kiitos.runner, shop, row, text, who, now),
        by,
    )


@reviews.command()
@_SHOP
@click.option(
    "--hours", default=24, show_default=True, type=click.IntRange(1, 24 * 30), help="How long the link works."
)
@click.option("--by", help="Whose link it is: their decisions carry the name. Yours without it.")
@click.pass_obj
def page(app: App, shop: str, hours: int, by: str | None) -> None:
    """A link to a page where somebody looks after SHOP's queue. Whoever has it may decide.

    \b
    Example:
      kiitos reviews page acme-main --hours 8 --by Sanna
    """
    from connector.pages import moderation

    _known(app, shop)
    click.echo(moderation.new_link(app.kiitos, shop, by or getpass.getuser(), timedelta(hours=hours)))


@reviews.command()
@_SHOP
@click.pass_obj
def widget(app: App, shop: str) -> None:
    """How SHOP's site shows its reviews: an address for each product, and what to paste.

    \b
    Example:
      kiitos reviews widget acme-main
    """
    from connector.pages import shown_reviews

    click.echo(shown_reviews.snippet(app.kiitos, app.kiitos.config.shop(shop).shop))


@reviews.command("export")
@_SHOP
@click.option("--format", "form", default="judgeme", show_default=True, help="judgeme, loox, yotpo, okendo or shopify.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Where to; the screen without it.")
@click.pass_obj
def export_(app: App, shop: str, form: str, out: Path | None) -> None:
    """All reviews of SHOP as CSV, in the columns that another app reads. Withdrawn ones and stories are left out.

    Pictures are named by their addresses here, which work as long as the review is shown and this server runs: let the
    other app fetch them before you switch it off.

    \b
    Example:
      kiitos reviews export acme-main --format loox
    """
    from connector.lists.review_lists import FORMATS, write

    _known(app, shop)
    if form not in FORMATS:
        raise click.BadParameter(f"is one of {', '.join(FORMATS)}", param_hint="--format")
    here = (app.kiitos.config.app.base_url, app.kiitos.clock.now())
    with app.kiitos.store.work.read() as tx:
        if out is None:
            write(tx, shop, sys.stdout, form, *here)
            return
        with out.open("w", encoding="utf-8", newline="") as target:
            count = write(tx, shop, target, form, *here)
    click.echo(f"{count} reviews written to {out}")


@reviews.command("import")
@_SHOP
@click.argument("file", type=click.File(encoding="utf-8-sig"))
@click.option("--from", "name", default="", help="What the reviews came from; the file's name without it.")
@click.option("--dry-run", is_flag=True, help="Only say what is wrong with the file, and what would be kept.")
@click.option("--publish", is_flag=True, help="Also write them into the shop: leave it out when it has them already.")
@click.pass_obj
def import_(app: App, shop: str, file: Any, name: str, dry_run: bool, publish: bool) -> None:
    """Take a CSV FILE of another review app into SHOP (- is the standard input).

    Columns are known by their names. Lines that cannot be used are named and left out (exit code 1); the same file
    twice changes nothing. Imported reviews are shown as such, and earn nothing.

    \b
    Example:
      kiitos reviews import acme-main reviews.csv --from judgeme --dry-run
    """
    from connector.lists.review_import import take_in

    told = take_in(app.kiitos, _known(app, shop), file, name or Path(file.name).stem, dry_run=dry_run, publish=publish)
    for bad in told.bad:
        click.echo(f"line {bad.line}: {bad.reason}", err=True)
    kept = f"{told.kept} {'would be ' if dry_run else ''}kept ({told.verified} by known buyers)"
    click.echo(f"{kept}, {told.there} were there, {len(told.bad)} left out")
    if told.pictures:
        click.echo(f"{told.pictures} pictures are named in the file; they are not fetched", err=True)
    if told.bad:
        raise click.exceptions.Exit(1)


@reviews.command()
@_SHOP
@click.option("--photos", type=click.Path(file_okay=False, path_type=Path), help="A folder to put the pictures into.")
@json_option
@click.pass_obj
def reusable(app: App, shop: str, photos: Path | None, as_json: bool) -> None:
    """Published reviews and stories whose authors allow SHOP to show them elsewhere, now. Ask again before each use.

    \b
    Example:
      kiitos reviews reusable acme-main
    """
    from connector.store import review_photos
    from connector.store import reviews as store

    _known(app, shop)
    with app.kiitos.store.work.read() as tx:
        found = list(store.reusable(tx, shop, app.kiitos.clock.now()))
        pictures = review_photos.of(tx, shop, [row.id for row in found])
        if photos is not None:
            photos.mkdir(parents=True, exist_ok=True)
            for photo in (photo for list_ in pictures.values() for photo in list_):
                whole = review_photos.find(tx, photo.id)
                if whole is not None:
                    (photos / f"{photo.id}.jpg").write_bytes(whole.picture)
    rows = [
        {
            **_told(row),
            "kind": "story" if row.is_story else "review",
            "allowed": to_text(row.reuse_at)[:10] if row.reuse_at else "",
            "text": row.text if as_json else _short(row.text),
            "photos": [f"{photo.id}.jpg" for photo in pictures.get(row.id, ())],
        }
        for row in found
    ]
    if as_json:
        print_json(rows)
        return
    names = ("id", "kind", "allowed", "author", "text")
    print_table([(*(str(row[name]) for name in names), " ".join(row["photos"])) for row in rows], (*names, "photos"))


def _known(app: App, shop: str) -> str:
    return app.kiitos.config.shop(shop).shop.id


def _row(app: App, tx: Tx, shop: str, review: str) -> ReviewRow:
    from connector.store import reviews as store

    found = store.get(tx, _known(app, shop), review)
    if found is None:
        click.echo(f"{shop} has no review '{review}'; `kiitos reviews queue` shows those that wait", err=True)
        raise click.exceptions.Exit(1)
    return found


def _decide(app: App, shop: str, ids: Iterable[str], act: Callable[[Tx, ReviewRow, str], bool], by: str | None) -> None:
    from connector.working.intake import again_if_moved

    who, failed = by or getpass.getuser(), False

    def work(review: str) -> bool:
        with app.kiitos.store.work.transaction() as tx:
            return act(tx, _row(app, tx, shop, review), who)

    for review in ids:
        done = again_if_moved(partial(work, review))
        failed |= not done
        click.echo(f"{review}: {'done' if done else 'nothing to change'}, by {who}")
    if failed:
        raise click.exceptions.Exit(1)


def _told(row: ReviewRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "at": to_text(row.at)[:16].replace("T", " "),
        "state": str(row.state),
        "stars": str(row.rating or ""),
        "product": row.product_title or row.product_id,
        "author": row.author,
        "why": " ".join(row.reasons),
        "text": _short(row.text),
    }


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= 80 else f"{words[:79]}…"
