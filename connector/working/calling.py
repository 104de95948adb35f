"""Calling the merchant's own endpoints: the step `call`, carried out (Standard Webhooks, `connector.outside.signing`).

The body is made from the effect alone and is the same at each attempt; so is `webhook-id`, the effect's own id. The
timestamp, and with it the signature, is the attempt's. An endpoint that does not answer is left alone for a while, so
that one server of one merchant never holds up everybody's mail.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connector import codec
from connector.clock import Clock, to_text
from connector.config import EndpointSettings, ShopSettings
from connector.errors import ConfigError, MalformedPayload, Refused, Transient
from connector.model import Effect, Run
from connector.outside.signing import make_secret, sign
from connector.secrets import Vault
from connector.store import shops
from connector.store.db import Tx
from connector.store.store import Store

if TYPE_CHECKING:
    from connector.outside.posting import Answer

CURRENT, PREVIOUS = "signing_secret", "signing_secret_previous"
SILENCE = 60.0
"""Seconds for which an endpoint that did not answer is not tried."""
LONGEST_VALUE = 1000
"""Characters of a value that is kept from an answer."""
_NEVER = frozenset({400, 405, 410, 413, 415, 422})
"""Answers that another attempt would only get again. 410: the endpoint asks not to be called any more."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request, ready to be sent."""

    endpoint: EndpointSettings
    id: str
    body: bytes
    answer: tuple[str, ...] = ()


class Caller:
    """Makes calls. One a worker; keeps which endpoints are silent, and nothing else."""

    def __init__(self, store: Store, vault: Vault, clock: Clock) -> None:
        self._store = store
        self._vault = vault
        self._clock = clock
        self._silent: dict[str, float] = {}

    def carry_out(self, effect: Effect, run: Run, settings: ShopSettings) -> Mapping[str, str]:
        """Make an effect's call; what later steps see. Raises `Transient`, `Refused`."""
        name = str(effect.request["to"])
        endpoint = settings.endpoints.get(name)
        if endpoint is None:
            raise Transient(f"app.toml has no endpoints.{name} for shop '{settings.shop.id}' any more")
        wanted = tuple(str(key) for key in effect.request.get("answer", ()))
        return self.make(Call(endpoint, effect.id, body_of(effect, run), wanted))

    def make(self, call: Call) -> Mapping[str, str]:
        """Send it, once. Raises `Transient` and `Refused`."""
        owner = call.endpoint.owner
        if self._clock.monotonic() < self._silent.get(owner, 0.0):
            raise Transient(f"endpoint '{call.endpoint.name}' did not answer a moment ago")
        try:
            answer = self._post(call)
        except Transient as error:
            self._silent[owner] = self._clock.monotonic() + SILENCE
            raise Transient(f"endpoint '{call.endpoint.name}': {error.message}", maybe_done=error.maybe_done) from error
        return _values(call, answer)

    def _post(self, call: Call) -> Answer:
        now = self._clock.now()
        with self._store.work.read() as tx:
            secrets = secrets_of(tx, self._vault, call.endpoint)
        headers = sign(call.id, now, call.body, secrets)
        private = call.endpoint.private_addresses
        # Here and not above: requests comes with the first call, and many shops make none.
        from connector.outside import posting

        return posting.post(call.endpoint.url, call.body, headers, now=now, private_addresses=private)


def body_of(effect: Effect, run: Run) -> bytes:
    """What a receiver reads: `type`, `timestamp` (when the step was reached), `data`. Only what `fields` names is of
    the person."""
    data = {
        "shop": effect.shop_id,
        "flow": effect.flow_id,
        "version": effect.version,
        "step": effect.step_id,
        "run": run.id,
        "subject": {"kind": run.subject_kind, "id": run.subject_id},
        "event": run.event.get("kind", ""),
        "fields": effect.request.get("fields", {}),
    }
    return codec.encode({"type": str(effect.request["type"]), "timestamp": to_text(effect.created_at), "data": data})


def secrets_of(tx: Tx, vault: Vault, endpoint: EndpointSettings) -> list[str]:
    """What its requests are signed with, the current one first: the file's, else the vault's."""
    if endpoint.secrets:
        return list(endpoint.secrets)
    known = shops.secrets(tx, vault, endpoint.owner)
    return [known[name] for name in (CURRENT, PREVIOUS) if name in known]


def keep_secrets(tx: Tx, vault: Vault, clock: Clock, shop: ShopSettings) -> None:
    """Give each endpoint of a shop that has none a secret of its own. Idempotent."""
    for endpoint in shop.endpoints.values():
        if not endpoint.secrets and CURRENT not in shops.secret_names(tx, endpoint.owner):
            shops.put_secret(tx, vault, endpoint.owner, CURRENT, make_secret(), clock.now())


def rotate(tx: Tx, vault: Vault, clock: Clock, endpoint: EndpointSettings) -> str:
    """A new secret; both sign until `finish`. Raises `ConfigError` for one that stands in the file."""
    if endpoint.secrets:
        raise ConfigError(f"the secret of endpoint '{endpoint.name}' stands in the file; change it there")
    known = shops.secrets(tx, vault, endpoint.owner)
    if CURRENT in known:
        shops.put_secret(tx, vault, endpoint.owner, PREVIOUS, known[CURRENT], clock.now())
    fresh = make_secret()
    shops.put_secret(tx, vault, endpoint.owner, CURRENT, fresh, clock.now())
    return fresh


def finish(tx: Tx, endpoint: EndpointSettings) -> None:
    """The receiver knows the new secret: sign with that alone."""
    shops.delete_secret(tx, endpoint.owner, PREVIOUS)


def _values(call: Call, answer: Answer) -> dict[str, str]:
    """What the answer gave. Raises `Transient` or `Refused` for anything but 2xx."""
    told = f"endpoint '{call.endpoint.name}' answered {answer.status}"
    if answer.status in _NEVER or 300 <= answer.status < 400:
        raise Refused(told, provider_code=str(answer.status))
    if not 200 <= answer.status < 300:
        raise Transient(told, retry_after=answer.retry_after)
    return {"status": str(answer.status), **_picked(answer.body, call.answer)}


def _picked(body: bytes, names: tuple[str, ...]) -> dict[str, str]:
    """The declared values of a JSON object. What is not there, or no text, number or truth, is left out."""
    try:
        return answered(codec.decode(body, dict[str, Any]), names) if names else {}
    except MalformedPayload:
        return {}


def answered(found: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, str]:
    """The values of those names, as texts."""
    texts = {name: _text(found.get(name)) for name in names}
    return {name: text for name, text in texts.items() if text is not None}


def _text(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value).replace("\x00", "")[:LONGEST_VALUE]
    return None
