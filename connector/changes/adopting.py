"""What a worker does about the files when it starts: apply them, or say where they differ from what runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from connector.app import Kiitos
from connector.changes.applying import Applied, Refused, apply_shop
from connector.changes.files import Files, with_flows
from connector.changes.planning import Choices, Plan, ShopPlan, make_plan
from connector.changes.targets import Target, target_of_files
from connector.log import get_log
from connector.store import applied, connecting
from flows.authoring.moving import Migration
from flows.render.sources import Sources

log = get_log("changes")

_NOBODY = "worker"
FIRST, START = "first start", "start"


def adopt(kiitos: Kiitos) -> int:
    """With `apply = "auto"` keep what the files say as what runs, by the migrations they declare. Returns how many
    shops changed.

    With `by_hand` only shops that never had anything applied begin with the files; where others differ is logged.
    """
    files = with_flows(kiitos.config, kiitos.registry) if kiitos.config.flows.by_hand else _of_catalog(kiitos)
    choices = Choices(Migration(kiitos.config.flows.migrate))
    _end_rollbacks(kiitos, choices)
    plan = _plan(kiitos, files, choices)
    count = 0
    for shop in plan.changed:
        if not (kiitos.config.flows.by_hand and shop.state):
            count += _adopt(kiitos, shop, choices)
    adrift = [shop.shop_id for shop in plan.changed if shop.state] if kiitos.config.flows.by_hand else []
    if adrift:
        log.warning("flows_adrift", shops=len(adrift), first=adrift[0], hint="kiitos flows plan, kiitos flows apply")
    return count


def shops_adrift(plan: Plan) -> list[ShopPlan]:
    """Shops whose files say something else than what runs, or cannot be read."""
    return [shop for shop in plan.shops if shop.changes or shop.target.faults]


def _of_catalog(kiitos: Kiitos) -> Files:
    """With files that apply themselves the catalog is what they say, but for shops in which somebody applied something
    since this process read them: those are left as they are."""
    with kiitos.store.work.read() as tx:
        states = applied.newest(tx)
    mine = [
        shop_id
        for shop_id in kiitos.config.shops
        if shop_id not in states
        or (states[shop_id].state <= kiitos.applied.get(shop_id, 0) and not states[shop_id].rolled_back)
    ]
    return Files(config=kiitos.config, flows={shop_id: kiitos.catalog.flows(shop_id) for shop_id in mine})


def _end_rollbacks(kiitos: Kiitos, choices: Choices) -> None:
    """Files that apply themselves leave alone what somebody went back to, until they say the same again."""
    if kiitos.config.flows.by_hand:
        return
    with kiitos.store.work.read() as tx:
        states = applied.newest(tx)
    back = {
        shop_id: shop
        for shop_id, shop in kiitos.config.shops.items()
        if shop_id in states and states[shop_id].rolled_back
    }
    if not back:
        return
    for shop in _plan(kiitos, with_flows(replace(kiitos.config, shops=back), kiitos.registry), choices).shops:
        if shop.changes or shop.refusals:
            log.warning("rollback_holds", shop_id=shop.shop_id, hint=f"kiitos flows apply --shop {shop.shop_id}")
        else:
            _adopt(kiitos, shop, choices)


def _plan(kiitos: Kiitos, files: Files, choices: Choices) -> Plan:
    sources = Sources()
    targets = targets_of(files, sources)
    with kiitos.store.work.read() as tx:
        return make_plan(tx, targets, applied.newest(tx), choices, people=False)


def targets_of(files: Files, sources: Sources) -> Sequence[Target]:
    """Every shop that the files know, faulty ones too, by client and shop."""
    found = [target_of_files(files.config.shops[shop_id], flows, sources) for shop_id, flows in files.flows.items()]
    found += [
        Target(client_id=fault.client_id, shop_id=shop_id, faults=fault.lines)
        for shop_id, fault in files.faults.items()
    ]
    return sorted(found, key=lambda target: (target.client_id, target.shop_id))


def _finishing(plan: ShopPlan) -> ShopPlan:
    return replace(plan, changes=tuple(replace(change, how=Migration.FINISH) for change in plan.changes))


def _adopt(kiitos: Kiitos, shop: ShopPlan, choices: Choices) -> int:
    """Running processes need not read again what they have read: the generation they know moves on with ours."""
    with kiitos.store.work.read() as tx:
        before = connecting.generation(tx)
    what = START if shop.state else FIRST
    done = apply_shop(kiitos, shop, choices, who=_NOBODY, what=what)
    if isinstance(done, Refused) and done.undecided and not kiitos.config.flows.by_hand:
        # Nobody is there to be asked, and new runs have to begin with something: those in flight stay as they are.
        log.error("people_not_moved", shop_id=shop.shop_id, reason="; ".join(done.why))
        finishing = replace(choices, overriding=True, default=Migration.FINISH)
        done = apply_shop(kiitos, _finishing(shop), finishing, who=_NOBODY, what=what)
    if not isinstance(done, Applied):
        return 0  # another worker was first
    kiitos.applied[shop.shop_id] = done.state.state
    if before == kiitos.generation:
        kiitos.generation = before + 1
    return 1
