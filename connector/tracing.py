"""Traces, one from a webhook to what was sent for it: OpenTelemetry, where the operator wants any (`[app.traces]`).

Like logs they are ambient: `configure` once a process, then `span` anywhere. Off, which is the default, nothing is
imported and a span costs a comparison. A trace crosses from one process to another as a W3C `traceparent`
(https://www.w3.org/TR/trace-context/), which the inbox keeps with a delivery and `connector.store.traces` with a run.

Attributes name shops, flows, steps, topics and outcomes. Nothing in a span says who anybody is: no exception's text is
kept, only its type.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING

from connector.errors import ConfigError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, Tracer

HEADER = "traceparent"
_MOST_OPEN = 10_000
"""Spans begun and not ended that are remembered: whatever forgot to end one must not fill the memory."""

_here: ContextVar[str] = ContextVar("kiitos_traceparent", default="")
_tracing: _Tracing | None = None


class _Tracing:
    """The process's tracer, and the spans whose end comes from elsewhere, by a name."""

    def __init__(self, provider: TracerProvider) -> None:
        self.provider = provider
        self.tracer: Tracer = provider.get_tracer("kiitos")
        self.open: OrderedDict[str, Span] = OrderedDict()


def configure(endpoint: str, role: str, *, share: float = 1.0, headers: Mapping[str, str] | None = None) -> None:
    """Send spans to an OTLP collector (`http://host:4318`); without an endpoint nothing happens. Once a process, after
    it forked. Raises `ConfigError` when the packages are not installed."""
    global _tracing
    if not endpoint:
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
    except ImportError as error:
        raise ConfigError("traces need the extra: pip install 'kiitos[otel]'", where="app.traces") from error
    resource = Resource.create({"service.name": f"kiitos-{role}", "service.namespace": "kiitos"})
    provider = TracerProvider(resource=resource, sampler=ParentBased(TraceIdRatioBased(share)))
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", headers=dict(headers or {}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    _tracing = _Tracing(provider)


def close() -> None:
    """Send what is left. Idempotent."""
    global _tracing
    if _tracing is not None:
        _tracing.provider.shutdown()
        _tracing = None


def on() -> bool:
    """Whether there are traces in this process."""
    return _tracing is not None


def current() -> str:
    """The `traceparent` of the span we are in, empty outside any."""
    return _here.get()


@contextlib.contextmanager
def span(name: str, parent: str = "", **attributes: str | int) -> Iterator[None]:
    """A span under `parent`, or under the one we are in. Without either there is none: only a delivery begins a trace.

    What is raised inside marks it as failed, by its type alone.
    """
    above = parent or _here.get()
    if _tracing is None or not above:
        yield
        return
    made = _begin(_tracing, name, above, attributes)
    token = _here.set(_text(made))
    try:
        yield
    except BaseException as error:
        _failed(made, type(error).__name__)
        raise
    finally:
        _here.reset(token)
        made.end()


def begin(name: str, key: str, parent: str = "", **attributes: str | int) -> str:
    """Begin a span that `end` ends by its key, in whatever thread; its `traceparent`. Without a
    parent it begins a trace; one that is not to be kept has none, and so nothing of it is."""
    if _tracing is None:
        return ""
    made = _begin(_tracing, name, parent, attributes)
    if not made.get_span_context().trace_flags.sampled:
        return ""
    context = _text(made)
    _tracing.open[key or context] = made
    while len(_tracing.open) > _MOST_OPEN:
        _tracing.open.popitem(last=False)[1].end()
    return context


def end(key: str, outcome: str = "", *, failed: bool = False) -> None:
    """End a span that was begun under the key; none, or one that ended already, is no harm."""
    made = _tracing.open.pop(key, None) if _tracing is not None else None
    if made is None:
        return
    if outcome:
        made.set_attribute("kiitos.outcome", outcome)
    if failed:
        _failed(made, outcome)
    made.end()


def _begin(tracing: _Tracing, name: str, parent: str, attributes: Mapping[str, str | int]) -> Span:
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    context = TraceContextTextMapPropagator().extract({HEADER: parent}, Context()) if parent else Context()
    named = {f"kiitos.{key}": value for key, value in attributes.items()}
    return tracing.tracer.start_span(name, context=context, attributes=named)


def _text(made: Span) -> str:
    found = made.get_span_context()
    return f"00-{found.trace_id:032x}-{found.span_id:016x}-{int(found.trace_flags):02x}"


def _failed(made: Span, what: str) -> None:
    from opentelemetry.trace import Status, StatusCode

    made.set_status(Status(StatusCode.ERROR, what))
