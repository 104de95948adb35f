"""What commands share: the application built from `--config` on first use, and output as text or JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from connector.config import Config, load_config

if TYPE_CHECKING:
    from connector.app import Kiitos
    from flows.catalog import Catalog

RESTART_FOR_GUIDES = (
    "product texts (guides) are read when a process starts: restart serve and worker where they changed"
)


class App:
    """Passed to every command as click's `obj`."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    @cached_property
    def config(self) -> Config:
        """The configuration alone, to look at: no database touched, no secret generated."""
        return load_config(self.path, os.environ, generate=False)

    @cached_property
    def whole_config(self) -> Config:
        """The configuration with the stores that were connected, where there is a database yet to ask."""
        from connector.app import look

        return look(self.config)

    @cached_property
    def catalog(self) -> Catalog:
        """The flows of all shops, checked; nothing is touched either."""
        from connector.app import load_catalog
        from connector.registry import Registry
        from connector.secrets import Vault

        if self.config.app.master_key:
            Vault.from_text(self.config.app.master_key)
        return load_catalog(self.config, Registry())

    @cached_property
    def kiitos(self) -> Kiitos:
        """The whole application: secrets generated, flows loaded, database open. The server's supervisor does
        without."""
        from connector.app import load

        made = load(self.path, os.environ)
        context = click.get_current_context(silent=True)
        if context is not None:
            context.find_root().call_on_close(made.store.close)
        return made


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def print_table(rows: Sequence[tuple[str, ...]], head: tuple[str, ...]) -> None:
    """Columns padded to their widest cell; the head is bold where the terminal allows it."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    click.secho("  ".join(cell.ljust(width) for cell, width in zip(head, widths, strict=True)).rstrip(), bold=True)
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
