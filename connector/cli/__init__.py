"""`kiitos`: every action an operator takes, with `--help`, `--json` and exit codes.

Exit codes: 0 done · 1 the question's answer is no (nothing found, a check failed) · 2 the command line is wrong ·
3 the configuration is wrong · 4 the database is unavailable.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.metadata import entry_points

import click

from connector import __version__
from connector.cli.context import App
from connector.errors import ConfigError, KiitosError, StoreUnavailable, Unsupported

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
COMMANDS = {
    "adapters": "connector.testing.adapters",
    "audience": "connector.cli.audience",
    "backtest": "connector.cli.backtest",
    "backup": "connector.cli.backup",
    "bounces": "connector.cli.bounces",
    "cases": "connector.cli.cases",
    "channels": "connector.cli.channels",
    "clock": "connector.cli.clock",
    "config": "connector.cli.config",
    "consent": "connector.cli.consent",
    "customers": "connector.cli.customers",
    "db": "connector.cli.db",
    "deliveries": "connector.cli.deliveries",
    "doctor": "connector.cli.doctor",
    "endpoints": "connector.cli.endpoints",
    "events": "connector.cli.events",
    "explain": "connector.cli.explain",
    "flows": "connector.cli.flows",
    "init": "connector.cli.init",
    "keys": "connector.cli.keys",
    "loyalty": "connector.cli.loyalty",
    "messages": "connector.cli.messages",
    "privacy": "connector.cli.privacy",
    "products": "connector.cli.products",
    "push": "connector.cli.push",
    "recommendations": "connector.cli.recommendations",
    "referrals": "connector.cli.referrals",
    "restore": "connector.cli.restore",
    "reviews": "connector.cli.reviews",
    "segments": "connector.cli.segments",
    "serve": "connector.cli.serve",
    "shops": "connector.cli.shops",
    "signup": "connector.cli.signup",
    "simulate": "connector.cli.simulate",
    "status": "connector.cli.status",
    "suppressions": "connector.cli.suppressions",
    "surveys": "connector.cli.surveys",
    "sms": "connector.cli.sms",
    "tasks": "connector.cli.tasks",
    "templates": "connector.cli.templates",
    "worker": "connector.cli.serve",
}
"""The module of each command, which has a function of the command's name."""
PLUGINS = "kiitos.commands"
"""The entry point group of commands that others bring: `name = "package.module:command"`, a click command."""


class LazyGroup(click.Group):
    """Imports the one command that is asked for: `kiitos serve` must not wait for what `kiitos explain` needs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return sorted({*COMMANDS, *entry_points(group=PLUGINS).names})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name in COMMANDS:
            command: click.Command = getattr(import_module(COMMANDS[cmd_name]), cmd_name)
            return command
        return _plugin(cmd_name)


def _plugin(name: str) -> click.Command | None:
    """A command of a plug-in. One that cannot be loaded does not keep the others from working."""
    found = [point for point in entry_points(group=PLUGINS) if point.name == name]
    if not found:
        return None
    try:
        command = found[0].load()
    except (ImportError, AttributeError) as error:
        raise click.ClickException(f"the command '{name}' ({found[0].value}) cannot be loaded: {error}") from error
    if not isinstance(command, click.Command):
        raise click.ClickException(f"the plug-in '{name}' ({found[0].value}) is no click command")
    return command


@click.group(cls=LazyGroup, context_settings=CONTEXT)
@click.option(
    "-c",
    "--config",
    "path",
    default="app.toml",
    envvar="KIITOS_CONFIG",
    show_default=True,
    show_envvar=True,
    help="The operator's file.",
)
@click.version_option(__version__, prog_name="kiitos")
@click.pass_context
def cli(ctx: click.Context, path: str) -> None:
    """Post-purchase messages for Shopify and WooCommerce.

    \b
    Examples:
      kiitos serve                         take webhooks and serve pages
      kiitos worker                        move flows, send messages
      kiitos shops list                    the webhook address of each shop
      kiitos explain acme-main 1042        why was this sent, or not
      kiitos config explain acme-main sender
    """
    ctx.obj = App(path)


def main() -> None:
    """Entry point: our errors become one readable line and an exit code, never a traceback."""
    try:
        # click gives the code of an Exit back instead of raising it when it is not to end the process itself.
        code = cli(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as wrong:
        wrong.show()
        sys.exit(2)
    except (ConfigError, Unsupported) as wrong:
        click.secho(f"kiitos: {wrong}", err=True, fg="red")
        sys.exit(3)
    except StoreUnavailable as wrong:
        click.secho(f"kiitos: {wrong}", err=True, fg="red")
        sys.exit(4)
    except KiitosError as wrong:
        click.secho(f"kiitos: {wrong}", err=True, fg="red")
        sys.exit(1)
