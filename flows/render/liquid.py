"""Liquid with limits: a template is somebody else's program, so it gets a budget.

python-liquid alone does not stop range bombs, `replace` chains or long loops over cheap tags (facts/messaging.md
section 1.2, measured); here every lookup, filter and loop pass burns from one counter, filters are sized before
and after, and ranges are short. Two environments: HTML escapes what it prints; TEXT does not (subjects, text parts).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from liquid import Environment, FalsyStrictUndefined, RenderContext, Undefined
from liquid.ast import Node
from liquid.builtin.expressions.primitive import RangeLiteral
from liquid.exceptions import LiquidError, ResourceLimitError
from liquid.expression import Expression
from liquid.template import BoundTemplate
from liquid.token import Token

from connector.errors import TemplateError
from flows.render.filters import FILTERS

MAX_SOURCE = 64 * 1024
MAX_LOOP = 1000
MAX_OUTPUT = 512 * 1024
MAX_VALUE = 128 * 1024
FUEL = 400_000
# Tags that load other templates or keep state between renders have no place in a message.
_REMOVED_TAGS = ("include", "render")
# `safe` switches escaping off; the base64 pair is of no use in a message and decodes unescaped text.
_REMOVED_FILTERS = ("safe", "base64_decode", "base64_url_safe_decode", "escapejs")
_RENDER_FAULTS = (LiquidError, ArithmeticError, ValueError, TypeError, LookupError, AttributeError, RecursionError)


def _size(value: object) -> int:
    """How many characters a value could print as, roughly; lists stop counting at the limit."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, range):
        return len(value) * 8
    if isinstance(value, (list, tuple)):
        return len(value) + sum(_size(item) for item in value[: MAX_LOOP * 10])
    if isinstance(value, int) and not isinstance(value, bool):
        return value.bit_length() // 3
    return 16


def _estimate(name: str, left: object, arguments: list[object]) -> int:
    """An upper bound of what a filter may produce, before it runs."""
    base, sizes = _size(left), [_size(argument) for argument in arguments]
    if name == "join":
        return base + len(left) * max([1, *sizes]) if isinstance(left, (list, tuple, range)) else base
    if name.startswith("replace") and arguments:
        text = str(left)
        found = text.count(str(arguments[0])) if str(arguments[0]) else len(text) + 1
        return base + found * (sizes[1] if len(sizes) > 1 else 0)
    return base + sum(sizes)


class _ShortRange(RangeLiteral):
    """`(1..100000000)` is cheap to write and dear to use: even `contains` walks it."""

    __slots__ = ()

    def _make_range(self, start: Any, stop: Any) -> range:
        made = super()._make_range(start, stop)
        if made.stop - made.start > MAX_LOOP:
            raise ResourceLimitError(f"a range may have at most {MAX_LOOP} numbers", token=self.token)
        return made


class BoundedContext(RenderContext):
    """A render context whose work is counted; copies share the counter."""

    def __init__(self, template: BoundTemplate, **options: Any) -> None:
        super().__init__(template, **options)
        parent = self.parent_context
        self.fuel: list[int] = parent.fuel if isinstance(parent, BoundedContext) else [FUEL]

    def burn(self, amount: int, token: Token | None = None) -> None:
        self.fuel[0] -= amount
        if self.fuel[0] < 0:
            raise ResourceLimitError("the template does too much work; use shorter or fewer loops", token=token)

    def get(self, path: list[object], *, token: Token | None, default: object = None) -> object:
        self.burn(1, token)
        return super().get(path, token=token) if default is None else super().get(path, token=token, default=default)

    def raise_for_loop_limit(self, length: int = 1) -> None:
        super().raise_for_loop_limit(length)
        self.burn(length * getattr(self.template, "loop_nodes", 1))

    def filter(self, name: str, token: Token | None) -> Callable[..., object]:
        function = super().filter(name, token)

        def bounded(left: object, *args: object, **kwargs: object) -> object:
            expected = _estimate(name, left, [*args, *kwargs.values()])
            if expected > MAX_VALUE:
                raise ResourceLimitError(f"filter '{name}' would make too long a value", token=token)
            self.burn(1 + expected // 64, token)
            made = function(left, *args, **kwargs)
            if _size(made) > MAX_VALUE:
                raise ResourceLimitError(f"filter '{name}' makes too long a value", token=token)
            return made

        return bounded


class BoundedTemplate(BoundTemplate):
    """A parsed template whose ranges are short and whose loop bodies are counted."""

    context_class = BoundedContext

    def __init__(self, env: Environment, nodes: list[Node], **options: Any) -> None:
        super().__init__(env, nodes, **options)
        static = RenderContext(self)
        self.loop_nodes = 1
        for node, in_loop in _walk(nodes, static):
            self.loop_nodes += in_loop
            for expression in node.expressions():
                _shorten_ranges(expression)


def _walk(nodes: Sequence[Node], static: RenderContext, in_loop: bool = False) -> Iterator[tuple[Node, bool]]:
    for node in nodes:
        yield node, in_loop
        inside = in_loop or type(node).__name__ in {"ForNode", "TablerowNode"}
        yield from _walk(list(node.children(static, include_partials=False)), static, inside)


def _shorten_ranges(expression: Expression) -> None:
    if type(expression) is RangeLiteral:
        # python-liquid's parser builds this class by name; the subclass has the same slots.
        expression.__class__ = _ShortRange
    for child in expression.children():
        _shorten_ranges(child)


class BoundedEnvironment(Environment):
    template_class = BoundedTemplate
    loop_iteration_limit = MAX_LOOP
    output_stream_limit = MAX_OUTPUT
    local_namespace_limit = 256 * 1024
    context_depth_limit = 20
    block_nesting_limit = 20

    def __init__(self, *, autoescape: bool, strict: bool = True) -> None:
        undefined: type[Undefined] = FalsyStrictUndefined if strict else Undefined
        super().__init__(autoescape=autoescape, undefined=undefined)
        for tag in _REMOVED_TAGS:
            del self.tags[tag]
        for name in _REMOVED_FILTERS:
            del self.filters[name]
        self.filters.update(FILTERS)


HTML = BoundedEnvironment(autoescape=True)
TEXT = BoundedEnvironment(autoescape=False)
# A missing name prints nothing: the last resort of a receipt that must go out (facts/messaging.md section 1.2).
LENIENT_HTML = BoundedEnvironment(autoescape=True, strict=False)
LENIENT_TEXT = BoundedEnvironment(autoescape=False, strict=False)


def parse(source: str, environment: BoundedEnvironment, where: str) -> BoundTemplate:
    """Parse a template. Raises `TemplateError` with the place of the fault."""
    if len(source) > MAX_SOURCE:
        raise TemplateError(f"the template is longer than {MAX_SOURCE // 1024} KB", where=where)
    with template_errors(where):
        return environment.from_string(source)


def render(template: BoundTemplate, context: Mapping[str, object], where: str) -> str:
    """Render within the limits. Raises `TemplateError` with the place of the fault."""
    with template_errors(where):
        return template.render(context)


@contextmanager
def template_errors(where: str) -> Iterator[None]:
    """Turn whatever a template can cause into `TemplateError`; the text never quotes data or long source."""
    try:
        yield
    except LiquidError as error:
        line, column = _place(error)
        raise TemplateError(str(error.message)[:160], where=where, line=line, column=column) from error
    except _RENDER_FAULTS as error:
        raise TemplateError(f"cannot be rendered ({type(error).__name__})", where=where) from error


def _place(error: LiquidError) -> tuple[int, int]:
    try:
        found = error.context()
    except ValueError:  # an index one past the end of the source
        return 0, 0
    return (found[0], found[1] + 1) if found else (0, 0)
