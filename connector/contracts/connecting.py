"""How a platform tells the generic pages and commands to connect a store, and how it judges a connection.

A `ConnectsStores` platform lists its ways (approve in the browser, paste keys, ...) with the fields of each. `begin`
either connects at once or names the address the merchant's browser must visit; `receive` reads what the platform's
server sends meanwhile, and `finish` turns all of it into a store with secrets. Who may connect, state, single use,
expiry, the browser's cookie and the safekeeping of half-proven secrets are not the platform's business: the pages do
that for every platform alike. Nothing a platform returns from `receive` is used before `finish` has proven it.

Sentences never stand in shared files: `wording(language)` gives the platform's own, by key.

    way.<way>, way.<way>.help           the name of a way and what it asks of the merchant
    field.<field>, field.<field>.help   the label of a field and where its value is found
    error.<code>                        what went wrong (`ConnectRefused.reason`)
    finding.<code>                      the sentence of a finding, with `{name}` for its values
    link.<code>                         the words on a finding's link
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, TypeAlias

from connector.clock import Clock
from connector.contracts.platform import Access, Inbound
from connector.errors import ConnectRefused


class FieldKind(StrEnum):
    """How a field is shown and checked. `secret` is never shown again and never written on a command line."""

    TEXT = "text"
    URL = "url"
    SECRET = "secret"  # noqa: S105 - the name of a kind


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectField:
    """One thing the merchant enters. `name` is also the option of the command and the key in `values`."""

    name: str
    kind: FieldKind = FieldKind.TEXT
    required: bool = True
    example: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectWay:
    """One way to connect. `needs_browser`: the merchant's browser leaves for the platform and comes back.

    `needs_app`: names in `[connect.apps.<platform>]` without which the way is not offered.
    """

    name: str
    fields: Sequence[ConnectField] = ()
    needs_browser: bool = False
    needs_app: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectRequest:
    """What a way has to work with.

    `values`: what was entered, by field. `app`: the operator's `[connect.apps.<platform>]`. `ticket`: the public,
    unguessable state to send along; it must come back in `return_url` (see `ConnectsStores.ticket_in`).
    `return_url`: where the browser comes back to, the same for all attempts. `callback_url`: where the platform's
    server may post; its last part is this attempt's own secret. `public_only`: refuse stores at private addresses.
    `api_url`: an address that stands for the store's (tests, the demo).
    """

    way: str
    values: Mapping[str, str] = field(repr=False)
    app: Mapping[str, str] = field(repr=False)
    ticket: str = field(repr=False)
    return_url: str
    callback_url: str = field(repr=False)
    clock: Clock = field(repr=False)
    app_name: str = "Kiitos"
    public_only: bool = True
    api_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFacts:
    """The store as the platform describes it. `domain` in lower case; `url` its public address; `timezone` an IANA
    name; `currency` ISO 4217; `country` ISO 3166; `locale` such as `fi` or `pt-BR`. Empty text: not told."""

    domain: str
    url: str
    name: str = ""
    platform_shop_id: str = ""
    email: str = ""
    locale: str = ""
    timezone: str = ""
    currency: str = ""
    country: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """The browser must go to `url`. `keep` is sealed and given back to `finish`."""

    url: str
    keep: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """A store whose secrets were just proven to work. `granted` are the permissions in the platform's own words."""

    facts: StoreFacts
    secrets: Mapping[str, str] = field(repr=False)
    granted: Sequence[str] = ()


Begun: TypeAlias = Redirect | Connected


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectReturn:
    """The browser is back. `query` holds the parameters that came exactly once; a repeated one is left out.

    `pairs` are all of them in order, for signatures over the query. `keep` is what `begin` asked to keep, `received`
    what `receive` read (empty when the server has not called).
    """

    request: ConnectRequest
    query: Mapping[str, str] = field(repr=False)
    pairs: Sequence[tuple[str, str]] = field(repr=False)
    keep: Mapping[str, str] = field(repr=False)
    received: Mapping[str, str] = field(repr=False)


class ConnectsStores(ABC):
    """A platform whose stores are connected in a browser or by command."""

    ticket_in: ClassVar[str] = "state"
    """The query parameter in which the platform sends `ConnectRequest.ticket` back."""
    app_settings: ClassVar[Sequence[ConnectField]] = ()
    """What the operator may write under `[connect.apps.<platform>]`; secrets as `{ env = ... }` or `{ file = ... }`."""
    credential_names: ClassVar[Sequence[str]] = ()
    """The names `Connected.secrets` may have: what is replaced when the store is connected again."""
    lasting_secrets: ClassVar[Sequence[str]] = ()
    """Those of them we made ourselves (to sign webhooks with): one that is stored already stays."""

    @abstractmethod
    def ways(self) -> Sequence[ConnectWay]:
        """The ways on offer, the best first."""

    @abstractmethod
    def wording(self, language: str) -> Mapping[str, str]:
        """The platform's sentences in a language, by key; English where it has not that language."""

    @abstractmethod
    def begin(self, request: ConnectRequest) -> Begun:
        """Check what was entered and connect at once, or say where the browser must go.

        Raises `ConnectRefused`, `Transient`, `AuthExpired`, `Refused`.
        """

    def arrive(self, request: ConnectRequest, pairs: Sequence[tuple[str, str]]) -> Begun:
        """The merchant's browser comes from the platform, which installed our app there; `pairs` are its query.

        The platform's own signature over the query is what lets it in, with the operator's app in `request.app`.
        Raises `ConnectRefused`, `Transient`, `AuthExpired`.
        """
        del request, pairs
        raise ConnectRefused("unexpected", "this platform sends nobody here")

    def framed_by(self, domain: str) -> Sequence[str]:
        """The https origins in whose frames the platform shows what `arrive` leads to, for the store of `domain`."""
        del domain
        return ()

    def receive(self, request: ConnectRequest, inbound: Inbound) -> Mapping[str, str]:
        """Read what the platform's server posted to `callback_url`; pure. It is kept sealed and unused until `finish`.

        Raises `ConnectRefused` for anything that is not exactly what the platform sends.
        """
        del request, inbound
        raise ConnectRefused("unexpected", "this platform sends no callback")

    @abstractmethod
    def finish(self, returned: ConnectReturn) -> Connected:
        """Prove what came back: signatures, the declared store, and a read of that store with the new secrets.

        Raises `ConnectRefused` (the attempt is over), `Transient` (the same return may be tried again), `AuthExpired`.
        """


class Verdict(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One result of a check: the sentence is `wording["finding.<code>"]` filled with `values`.

    `link` leads to where it is put right (https), `values` hold no secret and no customer.
    """

    code: str
    verdict: Verdict
    values: Mapping[str, str] = field(default_factory=dict)
    link: str = ""


class ChecksConnection(ABC):
    """A platform that can say whether a connection is healthy: permissions, time zone, currency, doubled messages."""

    @abstractmethod
    def check(self, access: Access) -> Sequence[Finding]:
        """Ask the store, change nothing. What cannot be asked is a finding too; raises only for a bug of ours."""
