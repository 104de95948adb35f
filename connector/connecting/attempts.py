"""Attempts to connect: who may, in which browser, once, and in time.

Four secrets, all unguessable and kept as hashes. The *invite* lets its holder begin; the *browser* cookie says that
who comes back is who left; the *ticket* travels with the platform and is public in addresses; the *callback* secret is
in the path the platform's server posts to. A return needs the cookie and the ticket of one attempt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from connector.connecting.activation import Application, activate, connectable
from connector.contracts import Begun, Connected, ConnectRequest, ConnectReturn, ConnectsStores, ConnectWay, Inbound
from connector.contracts import Redirect as BrowserGoes
from connector.errors import ConnectRefused, KiitosError, Transient
from connector.store import connecting
from connector.store.connecting import DONE, FAILED, Attempt, Invite
from connector.store.db import Tx

PREFIX = "/connect"
LIFE = timedelta(minutes=15)
"""How long the platform's own screens may take."""
RESULT_LIFE = timedelta(hours=1)
INVITE_LIFE = timedelta(days=3)
_BYTES = 32


@dataclass(frozen=True, slots=True)
class Started:
    """An attempt was begun: `browser` goes into the cookie. Either the browser leaves for `url`, or `shop_id` is
    connected already."""

    browser: str = field(repr=False)
    url: str = field(default="", repr=False)
    shop_id: str = ""


class Attempts:
    """Begin, hear the callback, finish. Network calls are never made inside a transaction."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self._base = app.config.app.base_url

    # -- who may -------------------------------------------------------------------------------------------------------

    def invite(self, client_id: str, *, shop_id: str | None = None, locale: str = "") -> str:
        """A link with which one store may be connected to the client (the known shop `shop_id` only, where given)."""
        now, token = self._app.clock.now(), self._app.clock.token(_BYTES)
        with self._app.store.work.transaction() as tx:
            connecting.invite(tx, token, client_id, now, now + INVITE_LIFE, shop_id=shop_id, locale=locale)
        return f"{self._base}{PREFIX}/{token}"

    def opened(self, token: str) -> Invite | None:
        """The invite a link stands for, while it may be used and connecting is allowed."""
        if not self._app.config.connect.enabled:
            return None
        with self._app.store.work.read() as tx:
            found = connecting.find_invite(tx, token, self._app.clock.now())
        return found if found is not None and found.client_id in self._app.config.clients else None

    def ways(self, platform: str) -> list[ConnectWay]:
        """The ways a platform offers here. Raises `ConnectRefused` for a platform that offers none."""
        adapter = self._adapter(platform)
        app = self._app.config.connect.apps.get(platform, {})
        return [way for way in adapter.ways() if all(app.get(name) for name in way.needs_app)]

    def _adapter(self, platform: str) -> ConnectsStores:
        found = connectable(self._app.registry).get(platform)
        if found is None:
            raise ConnectRefused("unexpected", "no such platform can be connected")
        return found

    # -- begin ---------------------------------------------------------------------------------------------------------

    def begin(self, opened: Invite, platform: str, way: str, values: Mapping[str, str]) -> Started:
        """The form was submitted. Raises `ConnectRefused`, `Transient`, `AuthExpired`, `Refused`."""
        chosen = next((one for one in self.ways(platform) if one.name == way), None)
        if chosen is None:
            raise ConnectRefused("unexpected", "no such way")
        for one in chosen.fields:
            if one.required and not values.get(one.name, "").strip():
                raise ConnectRefused("field_missing", "a field is empty", field=one.name)
        entered = {one.name: values.get(one.name, "") for one in chosen.fields}
        tokens = self._tokens()
        request = self._request(platform, way, entered, tokens)
        return self._begun(opened, platform, request, tokens, self._adapter(platform).begin(request))

    def arrive(self, platform: str, pairs: Sequence[tuple[str, str]]) -> Started:
        """The browser comes from the platform, which vouches for it; the store joins the operator's own choice.

        Raises as `begin`.
        """
        connect = self._app.config.connect
        if not (connect.enabled and connect.apps.get(platform) and connect.client):
            raise ConnectRefused("closed", "installs from the platform are not set up here")
        tokens = self._tokens()
        request = self._request(platform, "arrive", {}, tokens)
        begun = self._adapter(platform).arrive(request, pairs)
        link = self.invite(connect.client)
        opened = self.opened(link.rpartition("/")[2])
        assert opened is not None
        return self._begun(opened, platform, request, tokens, begun)

    def connect_now(self, client_id: str, platform: str, way: str, values: Mapping[str, str]) -> str:
        """Connect without a browser, for the command; the operator needs no invite. Returns the shop id.

        Raises as `begin`, and `ConnectRefused` for a way that needs a browser.
        """
        request = self._request(platform, way, values, self._tokens())
        begun = self._adapter(platform).begin(request)
        if not isinstance(begun, Connected):
            raise ConnectRefused("needs_browser", "this way needs a browser")
        with self._app.store.work.transaction() as tx:
            shop_id = activate(tx, self._app, client_id, platform, begun, None)
        self._app.refresh()
        return shop_id

    def _tokens(self) -> tuple[str, str, str]:
        """Of the browser, the ticket and the callback."""
        clock = self._app.clock
        return clock.token(_BYTES), clock.token(_BYTES), clock.token(_BYTES)

    def _request(
        self, platform: str, way: str, values: Mapping[str, str], tokens: tuple[str, str, str]
    ) -> ConnectRequest:
        connect = self._app.config.connect
        app = connect.apps.get(platform, {})
        return ConnectRequest(
            way=way,
            values=values,
            app=app,
            ticket=tokens[1],
            return_url=f"{self._base}{PREFIX}/return/{platform}",
            callback_url=f"{self._base}{PREFIX}/callback/{platform}/{tokens[2]}",
            clock=self._app.clock,
            public_only=not connect.private_addresses,
            api_url=app.get("api_url"),
        )

    def _begun(
        self, opened: Invite, platform: str, request: ConnectRequest, tokens: tuple[str, str, str], begun: Begun
    ) -> Started:
        now = self._app.clock.now()
        keep = begun.keep if isinstance(begun, BrowserGoes) else {}
        kept = {"values": dict(request.values), "keep": dict(keep), "tokens": list(tokens[1:])}
        kept["url"] = begun.url if isinstance(begun, BrowserGoes) else ""
        with self._app.store.work.transaction() as tx:
            connecting.begin(tx, self._app.vault, tokens, opened, (platform, request.way), kept, now, now + LIFE)
            if isinstance(begun, BrowserGoes):
                return Started(tokens[0], url=begun.url)
            attempt = connecting.attempt_of(tx, self._app.vault, tokens[0], now)
            assert attempt is not None
            shop_id = self._join(tx, attempt, begun)
        self._app.refresh()
        return Started(tokens[0], shop_id=shop_id)

    # -- while the browser is away -------------------------------------------------------------------------------------

    def leaving_for(self, browser: str) -> str:
        """Where the browser of an open attempt must go; empty when there is none."""
        attempt = self.of(browser)
        return str(attempt.entered.get("url", "")) if attempt is not None and attempt.status == connecting.OPEN else ""

    def of(self, browser: str) -> Attempt | None:
        """The attempt of a browser's cookie."""
        with self._app.store.work.read() as tx:
            return connecting.attempt_of(tx, self._app.vault, browser, self._app.clock.now())

    def called(self, platform: str, secret: str, inbound: Inbound) -> None:
        """The platform's server posts to an attempt's callback: kept sealed and unused.

        Raises `ConnectRefused` for an unknown secret, a second call, or a body the platform does not send.
        """
        now = self._app.clock.now()
        with self._app.store.work.read() as tx:
            attempt = connecting.attempt_called(tx, self._app.vault, secret, now)
        if attempt is None or attempt.platform != platform:
            raise ConnectRefused("unknown", "no attempt waits for this call")
        received = self._adapter(platform).receive(self._again(attempt), inbound)
        with self._app.store.work.transaction() as tx:
            if not connecting.receive(tx, self._app.vault, attempt, received, now):
                raise ConnectRefused("used", "this attempt was called before")

    def _again(self, attempt: Attempt) -> ConnectRequest:
        """The request an attempt was begun with."""
        ticket, callback = attempt.entered["tokens"]
        return self._request(attempt.platform, attempt.way, attempt.entered["values"], ("", ticket, callback))

    # -- the browser is back -------------------------------------------------------------------------------------------

    def returned(self, browser: str, platform: str, pairs: Sequence[tuple[str, str]]) -> str:
        """Finish the attempt of this browser; return the shop id. An attempt is finished once.

        Raises `ConnectRefused` (the attempt is over, unless the cookie or the ticket were wrong: then it is untouched),
        `Transient` (the same return may be tried again until the attempt runs out).
        """
        names = [name for name, _ in pairs]
        query = {name: value for name, value in pairs if names.count(name) == 1}
        adapter, attempt = self._adapter(platform), self.of(browser)
        if attempt is None or attempt.platform != platform:
            raise ConnectRefused("other_browser", "no attempt of this browser")
        over = {DONE: "used", FAILED: "over", connecting.FINISHING: "busy"}.get(attempt.status)
        if over is not None:
            raise ConnectRefused(over, f"this attempt is {attempt.status}")
        with self._app.store.work.transaction() as tx:
            if not connecting.take(tx, attempt, query.get(adapter.ticket_in, ""), self._app.clock.now()):
                raise ConnectRefused("other_attempt", "the ticket is not that of this browser's attempt")
        return self._finish(adapter, attempt, query, pairs)

    def _finish(
        self, adapter: ConnectsStores, attempt: Attempt, query: Mapping[str, str], pairs: Sequence[tuple[str, str]]
    ) -> str:
        # Read again: the platform's server may have called between the first look and the taking.
        with self._app.store.work.read() as tx:
            taken = connecting.attempt_by_hash(tx, self._app.vault, attempt.browser_hash, self._app.clock.now())
        assert taken is not None
        try:
            proven = adapter.finish(
                ConnectReturn(
                    request=self._again(taken),
                    query=query,
                    pairs=pairs,
                    keep=taken.entered["keep"],
                    received=taken.received,
                )
            )
            with self._app.store.work.transaction() as tx:
                shop_id = self._join(tx, taken, proven)
        except Transient:
            with self._app.store.work.transaction() as tx:
                connecting.release(tx, taken)
            raise
        except KiitosError:
            self._fail(taken)
            raise
        self._app.refresh()
        return shop_id

    def _join(self, tx: Tx, attempt: Attempt, proven: Connected) -> str:
        """The store joins, the invite is used up and the attempt is over, all at once."""
        now = self._app.clock.now()
        opened = connecting.invite_of(tx, attempt, now)
        if opened is None or not connecting.use_invite(tx, opened.invite_hash, now):
            raise ConnectRefused("used", "the link was used or ran out")
        shop_id = activate(tx, self._app, opened.client_id, attempt.platform, proven, opened.shop_id)
        connecting.end(tx, attempt, DONE, now + RESULT_LIFE, shop_id)
        return shop_id

    def _fail(self, attempt: Attempt) -> None:
        with self._app.store.work.transaction() as tx:
            connecting.end(tx, attempt, FAILED, self._app.clock.now() + LIFE)
