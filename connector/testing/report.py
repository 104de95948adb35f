"""What holds of an adapter, in words: the kit run group by group, one row a group and one a capability."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connector import contracts
from connector.contracts import PlatformAdapter, Step
from connector.testing.capabilities import CapabilityChecks, capability_methods, declared_methods
from connector.testing.exchanges import Tape
from connector.testing.platform import PlatformConformance, run_conformance

HOLDS, FAILS, NOT_OFFERED, NOT_SHOWN = "holds", "fails", "not offered", "not shown"

GROUPS: Mapping[str, Sequence[str]] = {
    "recordings": ("test_there_are_recordings_of_signed_deliveries",),
    "signature": (
        "test_current_and_rotated_secret_are_accepted",
        "test_forged_deliveries_are_rejected",
        "test_headers_of_identity_must_be_single",
        "test_another_shops_delivery_is_not_acted_on",
    ),
    "totality": ("test_verify_is_total",),
    "purity": ("test_normalise_is_pure",),
    "identity": ("test_event_keys_come_from_the_payload", "test_a_key_names_one_event"),
    "values": ("test_events_survive_the_codec", "test_values_are_whole"),
    "golden": ("test_golden",),
    "tolerance": ("test_an_unknown_topic_means_nothing", "test_damaged_bodies_are_events_or_malformed"),
    "order": ("test_the_newest_snapshot_of_an_order_wins",),
    "privacy": ("test_recordings_hold_invented_people_and_no_secret",),
}
SHOWN = "test_every_capability_is_shown_by_recorded_http"
CALLS = tuple(sorted(name for name in vars(CapabilityChecks) if name.startswith("test_") and name != SHOWN))


@dataclass(frozen=True, slots=True)
class Finding:
    """One row: `check` is a group's or a capability's name, `state` one of the four words, `why` one sentence."""

    check: str
    state: str
    why: str = ""


def findings_of(kit: type[PlatformConformance]) -> list[Finding]:
    """Run the whole kit; a row for each group of checks, then one for each capability of the contract."""
    found = [_group(kit, group, tests) for group, tests in GROUPS.items()]
    adapter = kit().make_adapter()
    unshown = kit().unshown()
    strange = [name for name in unshown if name not in capability_methods(adapter)]
    if strange:
        found.append(Finding("tapes", FAILS, f"{strange[0]}: {unshown[strange[0]]}"))
    return found + [_capability(kit, adapter, capability, unshown) for capability in all_capabilities()]


def all_capabilities() -> list[type[ABC]]:
    """Every capability of the contract whose methods ask the platform, by name."""
    found = [getattr(contracts, name) for name in contracts.__all__]
    return [
        each
        for each in sorted((item for item in found if isinstance(item, type)), key=lambda item: item.__name__)
        if issubclass(each, ABC) and not issubclass(each, (PlatformAdapter, Step)) and declared_methods(each)
    ]


def _group(kit: type[PlatformConformance], group: str, tests: Sequence[str]) -> Finding:
    failures = run_conformance(kit, only=tests)
    if not failures:
        return Finding(group, HOLDS)
    return Finding(group, FAILS, _told(failures))


def _capability(
    kit: type[PlatformConformance], adapter: PlatformAdapter, capability: type[ABC], unshown: Mapping[str, str]
) -> Finding:
    name = capability.__name__
    if not isinstance(adapter, capability):
        return Finding(name, NOT_OFFERED)
    methods = declared_methods(capability)
    failures = [f"{SHOWN}: {method}: {unshown[method]}" for method in methods if method in unshown]
    failures += run_conformance(_only(kit, methods), only=CALLS)
    if failures:
        return Finding(name, FAILS, _told(failures))
    if reasons := [f"{method}: {kit.unrecorded[method]}" for method in methods if method in kit.unrecorded]:
        return Finding(name, NOT_SHOWN, reasons[0])
    return Finding(name, HOLDS)


def _only(kit: type[PlatformConformance], methods: Sequence[str]) -> type[PlatformConformance]:
    """The kit with the tapes of these methods alone."""

    class OneCapability(kit):  # type: ignore[valid-type, misc]
        @classmethod
        def tapes(cls) -> list[Tape]:
            return [tape for tape in kit.tapes() if tape.call in methods]

    return OneCapability


def _told(failures: Sequence[str]) -> str:
    """The first failure in one line, and how many more there are."""
    first = failures[0].partition(": ")[2].removeprefix("AssertionError: ").splitlines()[0]
    return first + (f" (and {len(failures) - 1} more)" if len(failures) > 1 else "")
