"""`kiitos keys`: the keys that seal credentials in the database, and changing them."""

from __future__ import annotations

from collections.abc import Mapping

import click

from connector.cli.context import App, json_option, print_json, print_table
from connector.secrets import make_key
from connector.store import sealing


@click.group()
def keys() -> None:
    """Change the master key without losing a credential.

    \b
    1  kiitos keys new       put what it prints below the old key (app.master_key); restart serve and worker
    2  move it to the top    and restart again: it seals from now on
    3  kiitos keys rotate    seal everything anew
    4  kiitos keys list      nothing is under the old key any more: remove it, restart
    """


@keys.command()
@click.option("--name", help="Without one the key is known by a digest.")
def new(name: str | None) -> None:
    """Print a new key. Nothing is changed; the line is the secret itself."""
    click.echo(make_key(name))


@keys.command("list")
@json_option
@click.pass_obj
def list_keys(app: App, as_json: bool) -> None:
    """Each key, and how many secrets are under it. Without any, a key that is not the current one can go."""
    vault = app.kiitos.vault
    with app.kiitos.store.work.read() as tx:
        used = sealing.keys_in_use(tx)
    rows = []
    for key_id in dict.fromkeys([*vault.key_ids, *sorted(used)]):
        counts: Mapping[str, int] = used.get(key_id, {})
        state = "current" if key_id == vault.current else "listed" if key_id in vault.key_ids else "MISSING"
        told = ", ".join(f"{count} {what}" for what, count in sorted(counts.items())) or "nothing"
        rows.append((key_id, state, told))
    if as_json:
        print_json(
            [{"key": key_id, "state": state, "secrets": dict(used.get(key_id, {}))} for key_id, state, _ in rows]
        )
        return
    print_table(rows, ("key", "state", "secrets"))


@keys.command()
@click.pass_obj
def rotate(app: App) -> None:
    """Seal everything that is under an older key with the current one (the first that is listed)."""
    kiitos = app.kiitos
    with kiitos.store.work.transaction() as tx:
        changed = sealing.reseal(tx, kiitos.vault, kiitos.clock.now())
    with kiitos.store.work.read() as tx:
        left = sorted(set(sealing.keys_in_use(tx)) - {kiitos.vault.current})
    click.echo(f"{changed} secrets sealed anew under key '{kiitos.vault.current}'")
    old = [key_id for key_id in kiitos.vault.key_ids if key_id != kiitos.vault.current]
    if left:
        click.echo(f"still in use: {', '.join(left)}; run it again", err=True)
        raise click.exceptions.Exit(1)
    if old:
        click.echo(f"no longer needed, except for older backups: {', '.join(old)}")
