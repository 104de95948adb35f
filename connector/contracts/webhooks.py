"""Keeping a platform's webhook subscriptions as they should be.

Subscriptions die silently: Shopify deletes one after eight failed deliveries, WooCommerce disables one after seven
(facts/shopify.md 1.3, facts/woocommerce.md 1.3). So what is wanted is compared with what is there, again and again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from connector.contracts.platform import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class HookTarget:
    """Where a shop's webhooks must go, and what signs them.

    A subscription is ours when its address ends with the path of `url`, which holds an unguessable key; every other
    one is foreign and stays untouched. `secret` is `None` where none is set. `notes` is what the adapter asked to
    remember last time (`HookReport.notes`): some platforms do not show what must be compared.
    """

    url: str
    secret: str | None = field(default=None, repr=False)
    notes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HookFault:
    """One thing that is wrong, or was put right.

    `fault` is `missing`, `disabled`, `moved` (another address), `altered` (fields, filter), `secret`, `version`,
    `duplicate`, or `refused` (the platform would not: `detail` is its code) and `no_scope` (the app may not hear of
    the topic). `detail` never holds a secret.
    """

    topic: str
    fault: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HookReport:
    """What a look at the subscriptions found.

    `repaired` was wrong and is right now (after a mere check: nothing); `faults` are left. `present` counts ours that
    are right, `foreign` those of others that the platform shows us.
    """

    present: int = 0
    foreign: int = 0
    repaired: Sequence[HookFault] = ()
    faults: Sequence[HookFault] = ()
    notes: Mapping[str, str] = field(default_factory=dict)


class ManagesWebhooks(ABC):
    @abstractmethod
    def check_webhooks(self, access: Access, target: HookTarget) -> HookReport:
        """Compare and change nothing. Raises `Transient`, `AuthExpired`."""

    @abstractmethod
    def repair_webhooks(self, access: Access, target: HookTarget) -> HookReport:
        """Compare, create what is missing, put right what is wrong. May be repeated freely.

        Raises `Transient` and `AuthExpired`; a topic the platform refuses is a fault of the report, so that one
        missing permission does not keep the others from being repaired.
        """

    @abstractmethod
    def remove_webhooks(self, access: Access, target: HookTarget) -> int:
        """Remove all that are ours; how many there were. For a shop that is disconnected."""
