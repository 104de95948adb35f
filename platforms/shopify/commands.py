"""`kiitos shopify`: what an operator needs on Shopify's side. Found through the entry point group `kiitos.commands`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Protocol

import click

from connector.config import Config, ShopSettings
from connector.errors import ConfigError
from platforms.shopify import app_file, theming


class Application(Protocol):
    """The part of the built application that is asked."""

    config: Config

    def app_hook_url(self, platform: str) -> str: ...
    def hook_url(self, shop: ShopSettings) -> str: ...


class Command(Protocol):
    """What commands are handed by `connector.cli`."""

    @property
    def kiitos(self) -> Application: ...


@click.group()
def shopify() -> None:
    """Shopify's own files."""


@shopify.command("app-config")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the file, for example shopify.app.toml; without it the text is printed.",
)
@click.option("--shop", "shop_id", help="For the app of this one shop's merchant, instead of [connect.apps.shopify].")
@click.option("--compliance-only", is_flag=True, help="No webhook topics but those that exist in this file alone.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@click.pass_obj
def app_config(app: Command, output: Path | None, shop_id: str | None, compliance_only: bool, force: bool) -> None:
    """Print shopify.app.toml for your app: scopes, webhooks, compliance topics, app proxy, reviews.

    \b
    The values come from [app] and [connect.apps.shopify] of app.toml. A merchant's own app
    serves one shop: name it with --shop.
    Deploy the file with Shopify's CLI: shopify app deploy

    \b
    Example:
      kiitos shopify app-config --shop acme-main
    """
    made = _own_app(app.kiitos, shop_id) if shop_id else _hosted_app(app.kiitos)
    if not made.base_url.startswith("https://"):
        click.echo("kiitos: app.base_url is no https:// address; Shopify's CLI refuses others", err=True)
    text = app_file.to_toml(app_file.document(replace(made, all_topics=not compliance_only)))
    if output is None:
        click.echo(text, nl=False)
        return
    _write(output, text, force=force)
    click.echo(f"{output} is written; deploy it with: shopify app deploy")


@shopify.command("theme-block")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The extension's folder, for example extensions/kiitos-reviews beside shopify.app.toml.",
)
@click.option("--force", is_flag=True, help="Replace files that are there.")
def theme_block(output: Path, force: bool) -> None:
    """Write the block that shows a product's reviews in the theme: HTML and structured data, no script.

    \b
    Deploy it with the app (shopify app deploy). The merchant then adds the block "Kiitos reviews"
    to the product's page in the theme editor.

    \b
    Example:
      kiitos shopify theme-block -o extensions/kiitos-reviews
    """
    texts = theming.block()
    for name in texts:
        if (output / name).exists() and not force:
            raise ConfigError("is there already; look at it, then use --force", where=str(output / name))
    for name, text in texts.items():
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        _write(output / name, text, force=force)
    click.echo(f"{output} is written; deploy it with: shopify app deploy")


def _hosted_app(kiitos: Application) -> app_file.AppFile:
    """The operator's app, which many stores install. Raises `ConfigError` when there is none."""
    config = kiitos.config
    app = config.connect.apps.get("shopify", {})
    if not app.get("client_id"):
        raise ConfigError(
            "set client_id and client_secret, or name the shop of a merchant's own app with --shop",
            where=f"{config.path.name}:connect.apps.shopify",
        )
    return app_file.AppFile(
        client_id=app["client_id"],
        base_url=config.app.base_url,
        hook_url=kiitos.app_hook_url("shopify"),
        name=app.get("name") or "Kiitos",
        handle=app.get("handle", ""),
        added_scopes=tuple(scope.strip() for scope in app.get("scopes", "").split(",") if scope.strip()),
        proxy_subpath=app.get("proxy_subpath") or "kiitos",
    )


def _own_app(kiitos: Application, shop_id: str) -> app_file.AppFile:
    """The app a merchant made for their own store. Raises `ConfigError` for a shop that is none of Shopify's."""
    config = kiitos.config
    settings = config.shop(shop_id)
    if settings.shop.platform != "shopify":
        raise ConfigError(f"is a {settings.shop.platform} shop", where=shop_id)
    return app_file.AppFile(
        client_id=settings.secrets.get("client_id", ""),
        base_url=config.app.base_url,
        hook_url=kiitos.hook_url(settings),
        name=f"Kiitos {settings.shop.name}",
        embedded=False,
    )


def _write(output: Path, text: str, *, force: bool) -> None:
    """Never over somebody's own file by accident, never half."""
    if output.exists() and not force:
        raise ConfigError("is there already; look at it, then use --force", where=str(output))
    draft = output.with_name(f".{output.name}.part")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(output)
    except OSError as error:
        raise ConfigError(f"cannot be written ({error.strerror})", where=str(output)) from error
