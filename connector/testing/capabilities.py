"""The kit's checks of capabilities against recorded HTTP: what an adapter inherits must work, and fail well.

What holds for every capability is here and needs only tapes (`connector.testing.exchanges`): the recorded call gives
the recorded result with the recorded requests and no others; a call repeated after it was carried out does no second
thing; 429, 401, 422, 5xx, a lost answer and a strange page become the errors of `connector.errors`; nothing turns in a
circle; no credential reaches an error's text.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Any, get_type_hints

from connector import codec
from connector.contracts import Access, ChecksConnection, PlatformAdapter
from connector.errors import AuthExpired, KiitosError, Refused, Transient
from connector.model import Event
from connector.testing.exchanges import ENDLESS, Exchange, Fault, Replay, Tape
from connector.testing.mutation import damaged
from connector.testing.recording import golden, golden_update_allowed
from connector.testing.subject import Subject

WAIT = 7.0
"""The Retry-After of the replayed 429, in seconds."""

GRANTS = ("grant_store_credit", "issue_gift_card")
"""Methods whose repetition is money lost."""

DAMAGES = 120
"""Damaged answers tried a tape; of a longer list an even sample is taken."""

_RESULTS = 10_000
_ITEM = re.compile(r"\S*\.\d+ ")


class CapabilityChecks(Subject):
    """The part of `PlatformConformance` that replays tapes."""

    def access(self, url: str, tape: Tape) -> Access:
        """What the client is given: the kit's shop, the invented credentials, the address of the replay."""
        return Access(shop=self.shop, secrets=self.credentials, clock=tape.clock(), base_url=url)

    def call(self, tape: Tape, replay: Replay, adapter: PlatformAdapter | None = None) -> Any:
        """Make the tape's call; the result in plain JSON. Raises what the adapter raises."""
        return call_by_name(adapter or self.make_adapter(), tape.call, self.access(replay.url, tape), tape.arguments)

    # -- what is recorded ------------------------------------------------------------------------------------------

    def test_every_capability_is_shown_by_recorded_http(self) -> None:
        faults = self.unshown()
        assert not faults, "; ".join(f"{method}: {fault}" for method, fault in faults.items())

    def unshown(self) -> dict[str, str]:
        """Method by method what its tapes lack; also tapes and reasons for methods the adapter does not have."""
        methods, tapes = capability_methods(self.make_adapter()), self.tapes()
        found = {}
        for method in {*methods, *self.unrecorded, *(tape.call for tape in tapes)}:
            mine = [tape for tape in tapes if tape.call == method]
            if method not in methods:
                found[method] = "the adapter has no capability with such a method"
            elif method in self.unrecorded:
                continue
            elif not any(tape.raises is None for tape in mine):
                found[method] = f"no recorded HTTP shows it; write exchanges/{method}/<case>.json"
            elif any(each.writes for tape in mine for each in tape.exchanges) and not any(tape.again for tape in mine):
                found[method] = "no tape shows what happens when it is called again (give one the key 'again')"
        return dict(sorted(found.items()))

    def test_recorded_calls_give_the_recorded_result(self, tape: Tape) -> None:
        raised: KiitosError | None = None
        found: Any = None
        with Replay(tape) as replay:
            try:
                found = self.call(tape, replay)
            except KiitosError as error:
                raised = error
        assert not replay.unexpected, f"{tape.name}: {'; '.join(replay.unexpected)}"
        assert not replay.missing, f"{tape.name}: never asked: {', '.join(replay.missing)}"
        if tape.raises is not None:
            assert raised is not None, f"{tape.name}: no {tape.raises['error']} was raised"
            found = {name: getattr(raised, name, None) for name in tape.raises if name != "error"}
            assert {"error": type(raised).__name__, **found} == dict(tape.raises), f"{tape.name}: raised {raised!r}"
            return
        assert raised is None, f"{tape.name}: raised {type(raised).__name__}: {raised}"
        if golden_update_allowed():
            _rewrite(tape, found)
            return
        assert found == tape.returns, f"{tape.name}: the result differs from the recorded one"

    def test_a_repeated_call_does_nothing_twice(self, tape: Tape) -> None:
        """The tape of the repetition allows no second deed (what it does not hold is refused), and gives the same."""
        if not tape.again:
            return
        first = next((each for each in self.tapes() if each.name == f"{tape.call}/{tape.again}"), None)
        assert first is not None, f"{tape.name}: 'again' names no tape {tape.call}/{tape.again}"
        asked = [_first_time(each.arguments) for each in (first, tape)]
        assert asked[0] == asked[1], f"{tape.name}: repeats another call than {tape.again}"
        adapter = self.make_adapter()
        results = []
        for each in (first, tape):
            raised: KiitosError | None = None
            with Replay(each) as replay:
                try:
                    results.append(_same_each_time(self.call(each, replay, adapter)))
                except KiitosError as error:
                    raised = error
            assert not replay.unexpected, f"{tape.name}: {'; '.join(replay.unexpected)}"
            assert raised is None, f"{each.name}: raised {type(raised).__name__}: {raised}"
        assert results[0] == results[1], f"{tape.name}: the second call gave another result"

    def test_doubt_never_gives_money_twice(self, tape: Tape) -> None:
        """Whatever is wrong with what a repetition reads, it makes no request that the recording has not: an answer
        that lacks its parts is no proof that nothing was given."""
        if tape.call not in GRANTS or not tape.again:
            return
        with Replay(tape) as replay:
            for number in _places(tape):
                for what, body in _changed(tape.exchanges[number]):
                    self._failing(replay, Fault(at=number, body=body, once=True), f"answer {number + 1}: {what}")
                    assert not replay.unexpected, f"{tape.name}: answer {number + 1}, {what}: {replay.unexpected[0]}"

    # -- when the platform says no ---------------------------------------------------------------------------------

    def test_a_busy_platform_is_transient(self, tape: Tape) -> None:
        """429 with Retry-After is `Transient`, and says how long to wait."""
        with Replay(tape) as replay:
            for number in _places(tape):
                fault = Fault(at=number, status=429, headers={"Retry-After": f"{WAIT:.0f}"})
                error = self._failing(replay, fault)
                assert isinstance(error, Transient), f"{tape.name}: 429 at request {number + 1} became {_told(error)}"
                assert error.retry_after == WAIT, f"{tape.name}: retry_after is {error.retry_after}, asked were {WAIT}"

    def test_refused_credentials_are_auth_expired(self, tape: Tape) -> None:
        with Replay(tape) as replay:
            for number in _places(tape):
                error = self._failing(replay, Fault(at=number, status=401))
                assert isinstance(error, AuthExpired), f"{tape.name}: 401 at request {number + 1} became {_told(error)}"

    def test_a_refused_request_is_refused(self, tape: Tape) -> None:
        with Replay(tape) as replay:
            for number in _places(tape):
                error = self._failing(replay, Fault(at=number, status=422))
                if error is None and tape.exchanges[number].optional:
                    continue
                assert isinstance(error, Refused), f"{tape.name}: 422 at request {number + 1} became {_told(error)}"

    def test_a_lost_answer_to_a_write_may_be_done(self, tape: Tape) -> None:
        """The connection ends after the request was read, or 500 or 504 comes: nobody knows, so `maybe_done`.

        A write must not be repeated on its own, a read may.
        """
        with Replay(tape) as replay:
            for number in _places(tape):
                for fault in (Fault(at=number, drop=True), Fault(at=number, status=500), Fault(at=number, status=504)):
                    what = f"{'a lost answer' if fault.drop else fault.status} at request {number + 1}"
                    error = self._failing(replay, fault)
                    assert isinstance(error, Transient), f"{tape.name}: {what} became {_told(error)}"
                    if tape.exchanges[number].writes:
                        assert error.maybe_done, f"{tape.name}: {what}, a write, is not maybe_done"
                        assert not replay.repeated, f"{tape.name}: {what}, a write, was sent again"

    def test_strange_answers_are_our_errors(self, tape: Tape) -> None:
        """Pages and cut JSON are our errors; an answer with fields dropped, nulled or retyped is that or a result.

        GraphQL answers are not retyped: a server gives null for what does not fit the schema
        (spec.graphql.org, "Handling Execution Errors").
        """
        with Replay(tape) as replay:
            for number in _places(tape):
                for body, kind in ((b"<html>Maintenance</html>", "text/html"), (b'{"data": ', "application/json")):
                    error = self._failing(replay, Fault(at=number, body=body, content_type=kind))
                    assert error is not None, f"{tape.name}: a broken answer to request {number + 1} gave a result"
                changed = _changed(tape.exchanges[number])
                for what, body in changed[:: -(-len(changed) // DAMAGES) or 1]:
                    self._failing(replay, Fault(at=number, body=body, once=True), f"answer {number + 1}: {what}")

    def test_no_call_turns_in_a_circle(self, tape: Tape) -> None:
        """A platform that gives the same answer for ever (a page whose next page is itself) ends the call."""
        with Replay(tape) as replay:
            for number in _places(tape):
                recorded = tape.exchanges[number]
                headers = {name: value for name, value in recorded.headers.items() if name != "Content-Type"}
                self._failing(replay, Fault(at=number, status=recorded.status, headers=headers, body=recorded.body))
                assert replay.asked <= ENDLESS, f"{tape.name}: still asking after {ENDLESS} equal answers"

    def _failing(self, replay: Replay, fault: Fault, what: str = "") -> KiitosError | None:
        """What the call raises under a fault, `None` for a result. Any other exception is a finding, and so is an
        error that tells a credential."""
        replay.rewind(fault)
        place = f"{replay.tape.name}: {what or f'a fault at request {fault.at + 1}'}"
        adapter = self.make_adapter()
        try:
            self.call(replay.tape, replay, adapter)
        except KiitosError as error:
            told = f"{error!s} {error!r}"
            leaked = [name for name, value in self.credentials.items() if value and value in told]
            assert not leaked, f"{place}: the error's text tells the credential {leaked[0]}"
            return error
        except Exception as error:
            raise AssertionError(f"{place}: {type(error).__name__} instead of one of our errors") from error
        finally:
            close = getattr(adapter, "close", None)
            if close is not None:
                close()
        return None


def capability_methods(adapter: PlatformAdapter) -> dict[str, Callable[..., Any]]:
    """The methods of every capability the adapter inherits, by name, as the contract declares them.

    A check of the connection is none of them: whatever goes wrong is a finding there, and nothing is raised.
    """
    return {
        name: getattr(capability, name)
        for capability in type(adapter).__mro__
        if capability.__module__.startswith("connector.contracts.") and capability is not ChecksConnection
        for name in declared_methods(capability)
    }


def declared_methods(capability: type[Any]) -> list[str]:
    """Methods of a capability that talk to the platform: those that are given an `Access`."""
    found = []
    for name, value in vars(capability).items():
        if inspect.isfunction(value) and "access" in inspect.signature(value).parameters and not name.startswith("_"):
            found.append(name)
    return found


@cache
def _parameters(method: Callable[..., Any]) -> dict[str, Any]:
    hints = get_type_hints(method)
    return {name: hints[name] for name in inspect.signature(method).parameters if name not in ("self", "access")}


def call_by_name(adapter: PlatformAdapter, method: str, access: Access, arguments: Mapping[str, Any]) -> Any:
    """Call a capability's method with arguments in plain JSON, read by the types its contract declares; the result in
    plain JSON too. Raises what the adapter raises, and `MalformedPayload` for arguments that do not fit."""
    kinds = _parameters(capability_methods(adapter)[method])
    given = {name: codec.convert(arguments[name], kind) for name, kind in kinds.items() if name in arguments}
    return _plain(getattr(adapter, method)(access, **given))


def _plain(found: Any) -> Any:
    """A result as JSON has it; events as in golden files. Iterators are read to their end, which must come."""
    if isinstance(found, Iterator):
        found = list(islice(found, _RESULTS))
    if isinstance(found, Sequence) and found and all(isinstance(each, Event) for each in found):
        return json.loads(golden(found))
    return json.loads(codec.encode(found))


def _changed(exchange: Exchange) -> list[tuple[str, bytes]]:
    """An answer's damages: all of them, or those a GraphQL server can give (no field retyped, no item null)."""
    if not exchange.graphql:
        return list(damaged(exchange.body))
    return [(what, body) for what, body in damaged(exchange.body, (None,)) if not _ITEM.match(what)]


def _first_time(arguments: Mapping[str, Any]) -> Any:
    """Arguments without what says that an earlier attempt's outcome is unknown (`again`, `since`, `claimed`)."""
    if not isinstance(arguments, Mapping):
        return arguments
    told = ("again", "since", "claimed")
    return {name: _first_time(value) for name, value in arguments.items() if name not in told}


def _same_each_time(found: Any) -> Any:
    """A result without `adopted`, which is how an adapter says that it met what an earlier call had made."""
    return {name: value for name, value in found.items() if name != "adopted"} if isinstance(found, dict) else found


def _places(tape: Tape) -> Iterable[int]:
    """The exchanges of a tape at which faults are tried: those that were answered well. A recorded refusal is one."""
    return [n for n, each in enumerate(tape.exchanges) if each.status < 400] if tape.raises is None else []


def _told(error: KiitosError | None) -> str:
    return "a result" if error is None else f"{type(error).__name__} ({error})"


def _rewrite(tape: Tape, found: Any) -> None:
    written = json.loads(tape.file.read_text("utf-8"))
    written["returns"] = found
    tape.file.write_text(json.dumps(written, indent=1, ensure_ascii=False) + "\n", "utf-8")
