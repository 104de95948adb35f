"""Our own templates as Python functions: the same output as python-liquid in a fifth of the time.

Only what the shipped templates use is translated: content, output, if, unless, for, assign, comment; paths, literals,
comparisons, and/or, filters. `compile_template` returns `None` for anything else, and the function it makes raises
`Slow` whenever a value is not of the plain types it knows (a missing name, a list that is none, a loop that is too
long): the caller then renders with the bounded interpreter, which gives the true output or the true error. So the
fast way can only ever agree or step aside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from keyword import iskeyword
from typing import Any

from liquid.builtin.expressions import (
    BooleanExpression,
    FilteredExpression,
    KeywordArgument,
    Path,
    StringLiteral,
)
from liquid.exceptions import LiquidError
from liquid.template import BoundTemplate
from markupsafe import Markup

from connector.errors import TemplateError
from flows.render.filters import SETTINGS
from flows.render.strings import Strings
from flows.render.values import QUICK, RUNTIME, Slow

MAX_OUTPUT = 512 * 1024
RenderFunction = Callable[[Mapping[Any, Any]], str]


class _Untranslatable(Exception):
    """A part of the tree has no translation."""


FAULTS = (Slow, LookupError, TypeError, ValueError, ArithmeticError, AttributeError, LiquidError)


class _Globals:
    """What filters see of a render context."""

    __slots__ = ("autoescape", "globals")

    def __init__(self, variables: Mapping[Any, Any], autoescape: bool) -> None:
        self.globals = variables
        self.autoescape = autoescape


_COMPARISONS = {
    "EqExpression": "_equal({0}, {1})",
    "NeExpression": "not _equal({0}, {1})",
    "LtExpression": "_less({0}, {1})",
    "GtExpression": "_less({1}, {0})",
}


class _Translator:
    """Writes the function's lines. What is printed in a row is collected first: one call prints all of it, and texts
    that stand side by side, those of `strings` included, become one."""

    def __init__(self, template: BoundTemplate, autoescape: bool, strings: Strings | None) -> None:
        self.template = template
        self.autoescape = autoescape
        self.strings = strings
        self.names: dict[str, Any] = dict(RUNTIME)
        self.lines: list[str] = []
        self.printed: list[tuple[bool, str]] = []  # (fixed, its text or the expression) since the last other line
        self.print_depth = 0
        self.loops: list[tuple[str, str]] = []  # Liquid name and Python name of each loop variable in scope
        self.assigned: set[str] = set()

    def constant(self, value: object) -> str:
        name = f"k{len(self.names)}"
        self.names[name] = value
        return name

    def emit(self, depth: int, line: str) -> None:
        self.end_print()
        self.lines.append("    " * depth + line)

    def print(self, depth: int, fixed: bool, what: str) -> None:
        if self.printed and self.printed[-1][0] and fixed:
            self.printed[-1] = (True, self.printed[-1][1] + what)
        else:
            self.print_depth = depth
            self.printed.append((fixed, what))

    def end_print(self) -> None:
        printed, self.printed = self.printed, []
        pieces = [self.constant(what) if fixed else what for fixed, what in printed]
        if pieces:
            line = f"w({pieces[0]})" if len(pieces) == 1 else f"e(({', '.join(pieces)}))"
            self.lines.append("    " * self.print_depth + line)

    def block(self, nodes: list[Any], depth: int, silent: bool = False) -> None:
        self.end_print()
        start = len(self.lines)
        for node in nodes:
            self.node(node, depth, silent)
        self.end_print()
        if len(self.lines) == start:
            self.emit(depth, "pass")

    def node(self, node: Any, depth: int, silent: bool) -> None:
        kind = type(node).__name__
        if kind == "ContentNode":
            if node.text and not silent:
                self.print(depth, True, node.text)
        elif kind == "OutputNode":
            self.output(node.expression, depth)
        elif kind in {"IfNode", "UnlessNode"}:
            self.branches(node, depth, silent, negate=kind == "UnlessNode")
        elif kind == "ForNode":
            self.loop(node, depth, silent)
        elif kind == "AssignNode":
            self.emit(depth, f"a[{str(node.name)!r}] = {self.value(node.expression)}")
            self.assigned.add(str(node.name))
        elif kind not in {"CommentNode", "InlineCommentNode"}:
            raise _Untranslatable(kind)

    def output(self, expression: Any, depth: int) -> None:
        text = self.shared_text(expression)
        if text is not None:
            self.print(depth, True, text)
            return
        shape = "_out_html" if self.autoescape else "_out"
        self.print(depth, False, f"{shape}({self.value(expression)})")

    def shared_text(self, expression: Any) -> str | None:
        """What `{{ 'order.items' | t }}` prints, when that is known now."""
        key = _text_key(expression)
        if self.strings is None or key is None:
            return None
        try:
            return str(self.strings.text(key, html=self.autoescape))
        except TemplateError:
            return None

    def inner(self, block: Any, depth: int, silent: bool) -> None:
        # Liquid prints nothing for a block of white space only (suppress_blank_control_flow_blocks).
        self.block(block.nodes, depth, silent or block.blank)

    def branches(self, node: Any, depth: int, silent: bool, negate: bool) -> None:
        condition = self.condition(node.condition)
        self.emit(depth, f"if not ({condition}):" if negate else f"if {condition}:")
        self.inner(node.consequence, depth + 1, silent)
        for alternative in node.alternatives:
            self.emit(depth, f"elif {self.condition(alternative.expression)}:")
            self.inner(alternative.block, depth + 1, silent)
        if node.default:
            self.emit(depth, "else:")
            self.inner(node.default, depth + 1, silent)

    def loop(self, node: Any, depth: int, silent: bool) -> None:
        over = node.expression
        if over.limit or over.offset or over.reversed or over.cols or type(over.iterable) is not Path:
            raise _Untranslatable("for with options")
        number = len(self.names) + len(self.lines)
        name = f"v{number}"
        self.emit(depth, f"s{number} = _items({self.path(over.iterable)}, loops)")
        self.emit(depth, f"n{name} = len(s{number})")
        self.emit(depth, f"for i{name}, {name} in enumerate(s{number}):")
        self.loops.append((str(over.identifier), name))
        self.inner(node.block, depth + 1, silent)
        self.loops.pop()
        if node.default:
            self.emit(depth, f"if not n{name}:")
            self.inner(node.default, depth + 1, silent)

    def forloop(self, attribute: str) -> str:
        if not self.loops:
            raise _Untranslatable("forloop")
        name = self.loops[-1][1]
        known = {"first": f"i{name} == 0", "last": f"i{name} == n{name} - 1", "index": f"i{name} + 1",
                 "index0": f"i{name}", "length": f"n{name}"}  # fmt: skip
        if attribute not in known:
            raise _Untranslatable(attribute)
        return f"({known[attribute]})"

    def path(self, expression: Path, soft: bool = False) -> str:
        head, *rest = expression.path
        if head == "forloop":
            return self.forloop(str(rest[0]) if len(rest) == 1 else "")
        if not all(isinstance(part, str) and part not in {"first", "last"} for part in expression.path):
            raise _Untranslatable("path")
        counted = bool(rest) and rest[-1] == "size"
        rest = rest[:-1] if counted else rest
        loop = next((python for liquid, python in reversed(self.loops) if liquid == head), None)
        if loop:
            root = loop
        elif head in self.assigned:
            root = f"(a[{head!r}] if {head!r} in a else g[{head!r}])"
        else:
            root = f"g[{head!r}]"
        if soft and rest:
            root = f"_soft({root}, {', '.join(repr(part) for part in rest)})"
        else:
            root += "".join(f"[{part!r}]" for part in rest)
        return f"_count({root})" if counted else root

    def value(self, expression: Any, soft: bool = False) -> str:
        kind = type(expression).__name__
        if isinstance(expression, FilteredExpression):
            return self.filtered(expression)
        if isinstance(expression, Path):
            return self.path(expression, soft)
        if kind == "StringLiteral":
            return self.constant(Markup(expression.value) if self.autoescape else expression.value)  # noqa: S704
        if kind in {"IntegerLiteral", "TrueLiteral", "FalseLiteral"}:
            return repr(expression.value)
        if kind == "Nil":
            return "None"
        raise _Untranslatable(kind)

    def filtered(self, expression: FilteredExpression) -> str:
        filters = expression.filters or []
        left = self.value(expression.left, soft=bool(filters) and filters[0].name == "default")
        for one in filters:
            key = _text_key(expression)
            if key is not None:
                return self.fixed_text(key)
            quick = QUICK.get((one.name, len(one.args)))
            if quick is not None:
                arguments = [left, *(self.value(argument.value) for argument in one.args)]
                left = f"{self.constant(quick)}({', '.join(arguments)})"
                continue
            function = self.template.env.filters[one.name]
            arguments = [left, *(self.keyword(argument) + self.value(argument.value) for argument in one.args)]
            if getattr(function, "with_context", False):
                arguments.append("context=c")
            if getattr(function, "with_environment", False):
                arguments.append(f"environment={self.constant(self.template.env)}")
            left = f"{self.constant(function)}({', '.join(arguments)})"
        return left

    @staticmethod
    def keyword(argument: Any) -> str:
        if not isinstance(argument, KeywordArgument):
            return ""
        if not argument.name.isidentifier() or iskeyword(argument.name):
            raise _Untranslatable("argument name")  # Liquid allows `a-b`, Python would read an expression
        return f"{argument.name}="

    def fixed_text(self, key: str) -> str:
        return f"g[{self.constant(SETTINGS)}].strings.text({key!r}, html={self.autoescape})"

    def condition(self, expression: Any) -> str:
        if isinstance(expression, BooleanExpression):
            return self.condition(expression.expression)
        kind = type(expression).__name__
        if kind in {"LogicalAndExpression", "LogicalOrExpression"}:
            word = "and" if kind == "LogicalAndExpression" else "or"
            return f"({self.condition(expression.left)} {word} {self.condition(expression.right)})"
        if kind in {"EqExpression", "NeExpression"} and type(expression.right).__name__ in {"Blank", "Empty"}:
            test = (
                f"{'_blank' if type(expression.right).__name__ == 'Blank' else '_empty'}({self.value(expression.left)})"
            )
            return f"not {test}" if kind == "NeExpression" else test
        if kind in _COMPARISONS:
            return _COMPARISONS[kind].format(self.value(expression.left), self.value(expression.right))
        return self.truthy(expression)

    def truthy(self, expression: Any) -> str:
        """Liquid's truth: only nil, false and undefined are false; 0 and an empty text are true."""
        name = f"t{len(self.lines)}_{len(self.names)}"
        self.names[name] = None
        return f"(({name} := {self.value(expression, soft=True)}) is not None and {name} is not False)"


def _text_key(expression: Any) -> str | None:
    """The key of `'order.items' | t`; `None` for any other expression."""
    if not isinstance(expression, FilteredExpression) or not isinstance(expression.left, StringLiteral):
        return None
    filters = expression.filters or []
    return expression.left.value if len(filters) == 1 and filters[0].name == "t" and not filters[0].args else None


def compile_template(template: BoundTemplate, strings: Strings | None = None) -> RenderFunction | None:
    """A function of the context that renders the template, or `None` when some part has no translation.

    With `strings`, the function is for contexts that have these very texts; for others it steps aside.
    """
    autoescape = template.env.autoescape
    translator = _Translator(template, autoescape, strings)
    try:
        translator.block(template.nodes, 1)
    except (_Untranslatable, AttributeError, KeyError):
        return None
    head = ["def render(g, c):", "    out = []; w = out.append; e = out.extend; a = {}; loops = [0]"]
    source = "\n".join([*head, *translator.lines, "    return ''.join(out)"])
    space = translator.names
    exec(compile(source, "<template>", "exec"), space)  # noqa: S102  every name and text in it is ours or a repr
    body: Callable[[Mapping[Any, Any], _Globals], str] = space["render"]

    def run(variables: Mapping[Any, Any]) -> str:
        if strings is not None and variables[SETTINGS].strings is not strings:
            raise Slow
        text = body(variables, _Globals(variables, autoescape))
        if len(text) > MAX_OUTPUT // 4 or "\r" in text:
            raise Slow  # the interpreter counts bytes, and its buffer turns carriage returns into line feeds
        return text

    return run
