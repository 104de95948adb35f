"""A plan as a table for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from connector.cli.context import print_table

if TYPE_CHECKING:
    from connector.changes import FlowChange, Orphan, Plan, ShopPlan

_NAMED = 3
"""So many shops of a group are named; who wants all reads the table above or the JSON."""


def plan_json(plan: Plan) -> dict[str, Any]:
    return {
        "digest": plan.digest() if plan.changed else "",
        "shops": [_shop_json(shop) for shop in plan.shops],
        "orphans": orphans_json(plan.orphans),
    }


def orphans_json(orphans: Sequence[Orphan]) -> list[dict[str, Any]]:
    return [
        {"shop": each.shop_id, "flows": list(each.flows), "runs": each.runs, "people": each.people} for each in orphans
    ]


def drift_json(shops: Sequence[ShopPlan]) -> list[dict[str, Any]]:
    return [_shop_json(shop) for shop in shops]


def _shop_json(shop: ShopPlan) -> dict[str, Any]:
    return {
        "client": shop.target.client_id,
        "shop": shop.shop_id,
        "state": shop.state,
        "refused": list(shop.refusals),
        "changes": [
            {
                "flow": change.flow_id,
                "change": change.change,
                "from": change.before.version if change.before else None,
                "to": change.after.version if change.after else None,
                "migration": str(change.how),
                "runs": change.runs,
                "people": change.people,
                "lines": list(change.lines),
                "positions": [
                    {
                        "step": each.step_id,
                        "version": each.version,
                        "status": str(each.status),
                        "runs": each.runs,
                        "people": each.people,
                        "lands": each.lands,
                        "refused": each.refused,
                    }
                    for each in change.positions
                ],
            }
            for change in shop.changes
        ],
    }


def print_plan(plan: Plan, command: str) -> None:
    """A line a shop and flow; then each difference once, with the shops it is met in; then what is refused."""
    rows = [_row(shop, change) for shop in plan.shops for change in shop.changes]
    if rows:
        print_table(rows, ("client", "shop", "flow", "change", "version", "in flight", "migration"))
    for shop in plan.shops:
        for change in shop.changes:
            _print_people(shop, change)
    _print_differences(plan)
    for shop in plan.refused:
        click.secho(f"refused: {shop.shop_id}", fg="red")
        for line in shop.refusals:
            click.echo(f"  {line}")
    for orphan in plan.orphans:
        click.secho(orphan.line, fg="yellow")
    changed, refused = len(plan.changed), len(plan.refused)
    rest = len(plan.shops) - changed - refused
    click.echo(f"{changed} shops change, {refused} are refused, {rest} run what they should")
    if changed:
        click.echo(f"to apply exactly this: {command} --digest {plan.digest()} (with the same options)")


def _row(shop: ShopPlan, change: FlowChange) -> tuple[str, ...]:
    before, after = (entry.version if entry else "-" for entry in (change.before, change.after))
    version = after if before == after else f"{before} -> {after}"
    how = str(change.how) if change.positions else ""
    return (
        shop.target.client_id,
        shop.shop_id,
        change.flow_id,
        change.change,
        version,
        str(change.people) if change.people else "",
        how if not change.refusals else f"{how}: refused",
    )


def _print_people(shop: ShopPlan, change: FlowChange) -> None:
    for each in change.positions:
        where = f"{shop.shop_id} {change.flow_id}: {each.people} at {each.step_id} ({each.status}, {each.version})"
        click.secho(f"{where}: {each.lands}", fg="red" if each.refused else None)


def _print_differences(plan: Plan) -> None:
    groups: dict[tuple[str, str, str, tuple[str, ...]], list[str]] = {}
    for shop in plan.shops:
        for change in shop.changes:
            if change.before and change.after:
                key = (change.flow_id, change.before.version, change.after.version, change.lines)
                groups.setdefault(key, []).append(shop.shop_id)
    for (flow_id, before, after, lines), shops in groups.items():
        more = f" and {len(shops) - _NAMED} more" if len(shops) > _NAMED else ""
        version = after if before == after else f"{before} -> {after}"
        click.secho(f"{flow_id} {version} in {', '.join(shops[:_NAMED])}{more}", bold=True)
        for line in lines:
            click.echo(f"  {line}")
