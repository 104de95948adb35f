"""`kiitos signup`: the sign-up page of a shop, and the form for the shop's own pages."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import click

from connector.cli.context import App
from connector.errors import ConfigError

if TYPE_CHECKING:
    from connector.app import Kiitos

SNIPPET = """<form method="post" action="{url}" accept-charset="utf-8">
{offer}  <label>{email} <input type="email" name="email" required autocomplete="email" maxlength="254"></label>
  <label><input type="checkbox" name="agree" value="1" required> {consent}</label>
  <input type="hidden" name="lang" value="{language}">
  <span hidden aria-hidden="true">
    <label>{leave} <input type="text" name="{trap}" tabindex="-1" autocomplete="off"></label>
  </span>
  <button>{do}</button>
</form>"""


@click.group()
def signup() -> None:
    """Where people sign up for a shop's news."""


@signup.command()
@click.argument("shop")
@click.option("--language", default="", help="The language of the form; the shop's where it is left out.")
@click.pass_obj
def snippet(app: App, shop: str, language: str) -> None:
    """Print a form for SHOP's own pages: plain HTML to paste into a theme. No script, and nothing is loaded from here.

    \b
    Examples:
      kiitos signup snippet acme-main
      kiitos signup snippet acme-main --language fi
    """
    click.echo(form_of(app.kiitos, shop, language))


@signup.command()
@click.argument("shop")
@click.pass_obj
def link(app: App, shop: str) -> None:
    """Print the address of SHOP's sign-up page; add ?lang=fi for a language.

    \b
    Example:
      kiitos signup link acme-main
    """
    click.echo(address_of(app.kiitos, shop))


def address_of(kiitos: Kiitos, shop: str) -> str:
    """Raises `ConfigError` for a shop without the page."""
    from flows.people.signing_up import signup_token

    if not kiitos.config.shop(shop).consenting.signup:
        raise ConfigError(f"shop '{shop}' has no sign-up page; write signup = true", where="signup")
    return f"{kiitos.config.app.base_url}/p/signup/{signup_token(kiitos.salt, shop)}"


def form_of(kiitos: Kiitos, shop: str, language: str) -> str:
    from connector.contracts import FREE_DELIVERY
    from connector.pages.frame import language_of, strings
    from connector.pages.signup import TRAP
    from flows.people.signing_up import benefit

    url, settings = address_of(kiitos, shop), kiitos.config.shop(shop)
    spoken = language_of(language, settings.shop.locale)
    reward = benefit(kiitos.catalog.flows(shop))

    def words(name: str) -> str:
        return html.escape(strings(spoken)[f"signup.{name}"].format(shop=settings.shop.name, reward=reward))

    offer = f"  <p>{words('delivery' if reward == FREE_DELIVERY else 'benefit')}</p>\n" if reward else ""
    said = {name: words(name) for name in ("email", "consent", "do", "leave")}
    return SNIPPET.format(url=html.escape(url), language=spoken, trap=TRAP, offer=offer, **said)
