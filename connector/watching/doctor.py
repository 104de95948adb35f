"""`kiitos doctor`: every check in the order in which one needs the other; what cannot be looked at is a finding too."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from connector.app import Kiitos, build
from connector.clock import Clock, SystemClock
from connector.config import Config, load_config
from connector.errors import ConfigError, KiitosError, StoreUnavailable
from connector.log import get_log
from connector.outside.sender_domain import Txt
from connector.store.store import Store
from connector.watching import of_machine, of_shops, of_work
from connector.watching.figures import look
from connector.watching.machine import Machine
from connector.watching.of_machine import Place
from connector.watching.patient import Patient
from connector.watching.trouble import Check, Level, Trouble

CHECKS = (*of_work.CHECKS, *of_shops.CHECKS)
"""Of a running installation."""
CONFIGURATION = ("configuration", "Neither process can start.", "kiitos config check")
SCHEMA = ("schema", "Neither process can work with it.", "kiitos db upgrade")
DATABASE = ("database", "Nothing is stored and nothing is sent until it is back.", "kiitos restore from latest")
log = get_log("doctor")

T = TypeVar("T")


def examine(
    path: Path,
    environ: Mapping[str, str] | None = None,
    *,
    clock: Clock | None = None,
    machine: Machine | None = None,
    txt: Txt | None = None,
) -> list[Trouble]:
    """Everything that is wrong with the installation of a file, the worst first. Raises nothing for what it finds."""
    try:
        config = load_config(path, os.environ if environ is None else environ, generate=False)
    except ConfigError as error:
        return [_trouble(CONFIGURATION, error)]
    place = Place(config=config, machine=machine or Machine())
    found = list(_run(of_machine.CHECKS, place))
    if place.database is not None and not place.database.exists():
        missing = KiitosError(f"there is no database at {place.database.name} yet")
        return _sorted([*found, _trouble(("database", "Nothing is stored yet.", "kiitos worker --once"), missing)])
    try:
        kiitos = _open(config, clock or SystemClock())
    except ConfigError as error:
        return _sorted([*found, _trouble(SCHEMA if "migration" in error.message else CONFIGURATION, error)])
    except StoreUnavailable as error:
        return _sorted([*found, _trouble(DATABASE, error)])
    try:
        return _sorted([*found, *examine_running(kiitos, txt)])
    finally:
        kiitos.close()


def _open(config: Config, clock: Clock) -> Kiitos:
    """As a process would, but nothing is migrated. Raises `ConfigError`, `StoreUnavailable`."""
    store = Store.open(config.app.database, inbox_url=config.app.inbox, migrate=False)
    try:
        return build(config, clock=clock, store=store)
    except BaseException:
        store.close()
        raise


def examine_running(kiitos: Kiitos, txt: Txt | None = None, *, slow: bool = True) -> list[Trouble]:
    """The checks of a built installation; without `slow` those that alerts are made of."""
    try:
        patient = Patient(kiitos=kiitos, figures=look(kiitos.store, kiitos.clock.now(), kiitos.config), txt=txt)
        return list(_run([check for check in CHECKS if slow or not check.slow], patient))
    except StoreUnavailable as error:
        return [_trouble(DATABASE, error)]


def _run(checks: Iterator[Check[T]] | tuple[Check[T], ...] | list[Check[T]], subject: T) -> Iterator[Trouble]:
    """A check that fails itself is a finding, and keeps none of the others from being made."""
    for check in checks:
        try:
            yield from check.troubles(subject)
        except StoreUnavailable:
            raise
        except Exception as error:
            log.exception("check_failed", error, check=check.name)
            what = f"this could not be looked at ({type(error).__name__})"
            yield Trouble(check.name, Level.WARN, "", what, check.why, check.mend.replace(" SUBJECT", ""))


def _trouble(kind: tuple[str, str, str], error: KiitosError) -> Trouble:
    name, why, mend = kind
    return Trouble(name, Level.FAIL, "", error.message, why, mend)


def _sorted(troubles: list[Trouble]) -> list[Trouble]:
    return sorted(troubles, key=lambda one: one.level is not Level.FAIL)
