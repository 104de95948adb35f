"""`kiitos flows plan`, `apply`, `drift`, `history` and `rollback`: changing what runs, looked at before it happens."""

from __future__ import annotations

import getpass
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from connector.cli.change_session import (
    Session,
    apply_options,
    choices_of,
    migration_options,
    open_session,
    where_options,
)
from connector.cli.context import RESTART_FOR_GUIDES, App, json_option, print_json, print_table
from connector.cli.plan_text import drift_json, orphans_json, plan_json, print_plan
from connector.store import applied
from connector.store.applied import AppliedState

if TYPE_CHECKING:
    from connector.changes import Applied, Choices, Plan, Refused, ShopPlan


@click.command()
@where_options
@migration_options
@json_option
@click.pass_obj
def plan(
    app: App, client: str | None, shop: str | None, migrate: tuple[str, ...], mapped: tuple[str, ...], as_json: bool
) -> None:
    """Show what `kiitos flows apply` would do: flows that change, and where the people in flight go. Touches nothing.

    Exit code 1 when a shop is refused: its part of the file is wrong, or nobody says where people in flight go on.

    \b
    Examples:
      kiitos flows plan
      kiitos flows plan --client demo --migrate review-request=move
    """
    with open_session(app, client, shop) as session:
        found = session.plan(session.targets, choices_of(session.files, migrate, mapped))
    if as_json:
        print_json(plan_json(found))
    else:
        print_plan(found, "kiitos flows apply")
    if found.refused:
        raise click.exceptions.Exit(1)


@click.command()
@where_options
@migration_options
@apply_options
@json_option
@click.pass_obj
def apply(
    app: App,
    client: str | None,
    shop: str | None,
    migrate: tuple[str, ...],
    mapped: tuple[str, ...],
    digest: str | None,
    yes: bool,
    who: str | None,
    note: str,
    as_json: bool,
) -> None:
    """Make shops run what the files say, each in one transaction; running workers take it in by themselves.

    With --digest exactly the plan that was looked at is applied, or nothing. May be repeated: what runs is left alone.
    Exit code 1 when a shop is refused; the others are applied.

    \b
    Examples:
      kiitos flows apply --yes
      kiitos flows apply --client demo --yes --note slower
    """
    if not (digest or yes):
        raise click.UsageError("say --digest with the plan you looked at (kiitos flows plan), or --yes")
    with open_session(app, client, shop, acting=True) as session:
        choices = choices_of(session.files, migrate, mapped)
        found = session.plan(session.targets, choices)
        done = {state.shop_id: state.part for state in session.states.values() if digest and state.plan == digest}
        _check(found, digest, done)
        wanted = digest or found.digest()
        kept = _apply(session, found.changed, choices, who or _user(), "apply", wanted, note)
        guided = any(shop.guides for shop in session.files.config.shops.values())
    _report(kept, found, as_json, guided=guided)


def _check(found: Plan, digest: str | None, done: Mapping[str, str]) -> None:
    if digest and found.changed and digest not in (found.digest(), found.digest(done)):
        click.echo(
            f"this is not the plan you looked at ({digest}): files, migrations or what runs changed since; "
            f"look at it again with kiitos flows plan (now {found.digest()})",
            err=True,
        )
        raise click.exceptions.Exit(1)


def _apply(
    session: Session, shops: Sequence[ShopPlan], choices: Choices, who: str, what: str, digest: str, note: str
) -> list[Applied | Refused]:
    from connector.app import build
    from connector.changes import apply_shop

    if not shops:
        return []
    kiitos = build(session.files.config, store=session.store)
    return [apply_shop(kiitos, each, choices, who=who, what=what, digest=digest, note=note) for each in shops]


def _report(kept: Sequence[Applied | Refused], found: Plan, as_json: bool, *, guided: bool = False) -> None:
    from connector.changes import Applied, Refused

    states = [each.state for each in kept if isinstance(each, Applied)]
    refused = {each.shop_id: list(each.why) for each in kept if isinstance(each, Refused)}
    refused |= {each.shop_id: list(each.refusals) for each in found.refused}
    if as_json:
        print_json({"applied": [_state_json(state) for state in states], "refused": refused})
    else:
        _print_history(states)
        for shop_id, why in refused.items():
            click.secho(f"refused: {shop_id}", fg="red", err=True)
            for line in why:
                click.echo(f"  {line}", err=True)
        if not states and not refused:
            click.echo("nothing to apply: every shop runs what the files say")
        if guided:
            click.secho(RESTART_FOR_GUIDES, dim=True)
    if refused:
        raise click.exceptions.Exit(1)


@click.command()
@where_options
@json_option
@click.pass_obj
def drift(app: App, client: str | None, shop: str | None, as_json: bool) -> None:
    """Say where the running state differs from the files. Exit code 1 when it does, or when a part cannot be read.

    \b
    Example:
      kiitos flows drift --client demo
    """
    from connector.changes import shops_adrift

    with open_session(app, client, shop) as session:
        found = session.plan(session.targets, choices_of(session.files, (), ()))
    adrift = shops_adrift(found)
    if as_json:
        print_json(drift_json(adrift) + orphans_json(found.orphans))
    else:
        for each in adrift:
            flows = ", ".join(f"{change.flow_id} {change.change}" for change in each.changes)
            click.echo(f"{each.shop_id}: {flows or '; '.join(each.target.faults)}")
        for orphan in found.orphans:
            click.echo(orphan.line)
        if not (adrift or found.orphans):
            click.echo(f"{len(found.shops)} shops run what the files say")
    if adrift or found.orphans:
        raise click.exceptions.Exit(1)


@click.command()
@click.argument("shop", required=False)
@click.option("--limit", default=20, show_default=True, help="The newest so many, of each shop.")
@json_option
@click.pass_obj
def history(app: App, shop: str | None, limit: int, as_json: bool) -> None:
    """What was applied to SHOP, or to all shops: when, by whom, what changed, who was moved. Newest first.

    \b
    Example:
      kiitos flows history demo-aurora
    """
    with open_session(app, None, None) as session:
        found: list[AppliedState] = []
        if session.store is not None:
            with session.store.work.read() as tx:
                for shop_id in [shop] if shop else sorted(session.states):
                    found += applied.history(tx, shop_id, limit)
    if as_json:
        print_json([_state_json(state) for state in found])
    else:
        _print_history(found)
    if not found:
        click.echo("nothing was applied yet: a worker does it when it starts, or kiitos flows apply", err=True)
        raise click.exceptions.Exit(1)


@click.command()
@click.argument("shop")
@click.option("--to", "number", type=int, help="The state to go back to (kiitos flows history); the one before.")
@migration_options
@apply_options
@json_option
@click.pass_obj
def rollback(
    app: App,
    shop: str,
    number: int | None,
    migrate: tuple[str, ...],
    mapped: tuple[str, ...],
    digest: str | None,
    yes: bool,
    who: str | None,
    note: str,
    as_json: bool,
) -> None:
    """Make SHOP run an earlier state again; people in flight are migrated by the same rules. Without --yes or --digest
    it only shows what would happen. Texts of templates are read from their files and do not go back.

    \b
    Examples:
      kiitos flows rollback demo-aurora
      kiitos flows rollback demo-aurora --to 1 --yes
    """
    from connector.changes import target_of_state

    with open_session(app, None, shop, acting=bool(digest or yes)) as session:
        state = _earlier(session, shop, number)
        (current,) = session.targets
        assert session.store is not None
        with session.store.work.read() as tx:
            target = target_of_state(tx, current.client_id, state)
        choices = choices_of(session.files, migrate, mapped)
        found = session.plan([target], choices)
        if not (digest or yes):
            print_plan(found, f"kiitos flows rollback {shop} --to {state.state}")
            raise click.exceptions.Exit(1 if found.refused else 0)
        _check(found, digest, {})
        told = note or f"back to state {state.state}"
        kept = _apply(session, found.changed, choices, who or _user(), "rollback", digest or found.digest(), told)
    if kept and not session.files.config.flows.by_hand:
        hint = f"this holds, also when workers start again, until kiitos flows apply --shop {shop} or the file says so"
        click.secho(hint, fg="yellow", err=True)
    _report(kept, found, as_json)


def _earlier(session: Session, shop: str, number: int | None) -> AppliedState:
    running = session.states.get(shop)
    wanted = number if number is not None else running.state - 1 if running else 0
    if session.store is not None and wanted > 0:
        with session.store.work.read() as tx:
            found = applied.get(tx, shop, wanted)
        if found is not None:
            return found
    kept = f"it has {running.state}" if running else "nothing was applied yet"
    click.echo(f"{shop} has no state {wanted} to go back to: {kept} (kiitos flows history {shop})", err=True)
    raise click.exceptions.Exit(1)


def _state_json(state: AppliedState) -> dict[str, Any]:
    return {
        "shop": state.shop_id,
        "state": state.state,
        "at": state.at,
        "who": state.who,
        "what": state.what,
        "note": state.note,
        "plan": state.plan,
        "flows": {flow.flow_id: flow.version for flow in state.flows},
        "changes": [dict(change) for change in state.changes],
    }


def _print_history(states: Sequence[AppliedState]) -> None:
    if not states:
        return
    rows = [
        (s.shop_id, str(s.state), f"{s.at:%Y-%m-%d %H:%M}", s.who, s.what, ", ".join(map(_told, s.changes)), s.note)
        for s in states
    ]
    print_table(rows, ("shop", "state", "at (UTC)", "who", "what", "changes", "note"))


def _told(change: Mapping[str, str]) -> str:
    counts = [f"{change[word]} {word}" for word in ("moved", "left", "ended") if change.get(word)]
    people = f" ({change['how']}: {', '.join(counts)})" if counts else ""
    return f"{change['flow']} {change['change']}{people}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "unknown"
