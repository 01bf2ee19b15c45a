"""Requirements on columns, read off the source text of configured functions.

No function is called. Only comparisons of a column, or of a plain expression of columns, with a
number that is known are read; everything else is passed over.
"""

from __future__ import annotations

import ast
import functools
import inspect
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Column = tuple[str, str | None]
_DEPTH: Final = 5  # functions that call functions
_ABOVE: Final = (ast.Gt, ast.GtE)
_BELOW: Final = (ast.Lt, ast.LtE)
_TURNS_AROUND: Final = (ast.Invert, ast.Not)


@dataclass(frozen=True, slots=True)
class Requirement:
    """An expression of columns that must be above or below a number."""

    expression: str  # with the names of the configuration: "Jet.pt"
    above: bool
    threshold: float


def requirements(
    function: Callable[..., Any], use: Sequence[Column], keywords: Mapping[str, Any] | None = None
) -> tuple[Requirement, ...]:
    """Requirements that all events or objects must meet that a function selects.

    Parameters
    ----------
    function
        As configured. Without source text nothing is found.
    use
        Columns of its arguments.
    keywords
        Its fixed keyword arguments.

    Returns
    -------
    tuple of Requirement
        What stands behind "not" or in an alternative is left out.
    """
    found = _Reader.of(function, use, keywords or {})
    return () if found is None else tuple(dict.fromkeys(found.requirements(0)))


def result_of(function: Callable[..., Any], use: Sequence[Column]) -> str | None:
    """Expression that a function returns; None where that is not one expression."""
    found = _Reader.of(function, use, {})
    return None if found is None else found.result()


@dataclass(frozen=True)
class _Reader:
    """The source text of a function, and what is known of the names in it."""

    node: ast.FunctionDef | ast.Lambda
    names: dict[str, str]  # local name -> expression of columns
    values: dict[str, Any]  # name -> what it stands for

    @classmethod
    def of(
        cls, function: Callable[..., Any], use: Sequence[Column], keywords: Mapping[str, Any]
    ) -> _Reader | None:
        """Read a configured function; None where its text is not at hand."""
        arguments = [name if field is None else f"{name}.{field}" for name, field in use]
        return cls.called(function, arguments, keywords)

    @classmethod
    def called(
        cls,
        function: Callable[..., Any],
        arguments: Sequence[str | None],
        keywords: Mapping[str, Any],
    ) -> _Reader | None:
        """Read a function that is called with these expressions; None stands for others."""
        while isinstance(function, functools.partial):
            if function.args:
                return None
            keywords = {**function.keywords, **keywords}
            function = function.func
        node = _node_of(function)
        if node is None or not isinstance(function, types.FunctionType):
            return None
        parameters = [one.arg for one in (*node.args.posonlyargs, *node.args.args)]
        pairs = zip(parameters, arguments, strict=False)
        names = {name: text for name, text in pairs if text is not None}
        closure = inspect.getclosurevars(function)
        values = {**closure.globals, **closure.nonlocals, **_defaults(function), **keywords}
        return cls(node, names, {k: v for k, v in values.items() if k not in names})

    def requirements(self, depth: int) -> Iterator[Requirement]:
        """Requirements of this function, and of the functions that it calls."""
        names = dict(self.names)
        for statement in self._statements():
            for one in _plain(statement):
                if isinstance(one, ast.Compare):
                    yield from self._compared(one, names)
                elif isinstance(one, ast.Call) and depth < _DEPTH:
                    yield from self._called(one, names, depth)
            _assign(statement, names)

    def result(self) -> str | None:
        """Expression that is returned."""
        if isinstance(self.node, ast.Lambda):
            return _expression(self.node.body, self.names)
        last = self.node.body[-1]
        if not isinstance(last, ast.Return) or last.value is None:
            return None
        names = dict(self.names)
        for statement in self.node.body[:-1]:
            _assign(statement, names)
        return _expression(last.value, names)

    def _statements(self) -> Sequence[ast.AST]:
        return [self.node.body] if isinstance(self.node, ast.Lambda) else self.node.body

    def _compared(self, node: ast.Compare, names: Mapping[str, str]) -> Iterator[Requirement]:
        if len(node.ops) != 1:
            return
        left, right, operator = node.left, node.comparators[0], node.ops[0]
        for one, other, above, below in (
            (left, right, _ABOVE, _BELOW),
            (right, left, _BELOW, _ABOVE),
        ):
            expression, number = _expression(one, names), self._number(other, names)
            if expression is not None and number is not None:
                if isinstance(operator, above):
                    yield Requirement(expression, True, number)
                elif isinstance(operator, below):
                    yield Requirement(expression, False, number)

    def _called(
        self, node: ast.Call, names: Mapping[str, str], depth: int
    ) -> Iterator[Requirement]:
        function = self._value(node.func, names)
        if not isinstance(function, types.FunctionType) or node.keywords:
            return
        arguments = [_expression(one, names) for one in node.args]
        reader = _Reader.called(function, arguments, {}) if any(arguments) else None
        if reader is not None:
            yield from reader.requirements(depth + 1)

    def _value(self, node: ast.AST, names: Mapping[str, str]) -> Any:
        """What a name, or an attribute of a module, stands for; None where that is not known."""
        if isinstance(node, ast.Name) and node.id not in names:
            return self.values.get(node.id)
        if isinstance(node, ast.Attribute):
            owner = self._value(node.value, names)
            return getattr(owner, node.attr, None) if isinstance(owner, types.ModuleType) else None
        return node.value if isinstance(node, ast.Constant) else None

    def _number(self, node: ast.AST, names: Mapping[str, str]) -> float | None:
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            number = self._number(node.operand, names)
            return None if number is None else -number
        value = self._value(node, names)
        known = isinstance(value, (int, float)) and not isinstance(value, bool)
        return float(value) if known else None


def _defaults(function: types.FunctionType) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters.values()
    return {one.name: one.default for one in parameters if one.default is not one.empty}


def _node_of(function: Any) -> ast.FunctionDef | ast.Lambda | None:
    """The text of a function; None where there is none, or more than one could be it."""
    if not isinstance(function, types.FunctionType):
        return None
    code = function.__code__
    try:
        lines, _ = inspect.findsource(function)
        tree = ast.parse("".join(lines))
    except (OSError, TypeError, SyntaxError, ValueError):
        return None
    found: list[ast.FunctionDef | ast.Lambda] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Lambda) and code.co_name == "<lambda>":
            first = node.lineno
        elif isinstance(node, ast.FunctionDef) and node.name == code.co_name:
            first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
        else:
            continue
        names = [one.arg for one in (*node.args.posonlyargs, *node.args.args)]
        if first == code.co_firstlineno and names == list(code.co_varnames[: code.co_argcount]):
            found.append(node)
    return found[0] if len(found) == 1 else None


def _plain(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those behind "not", in alternatives and in functions within."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, _TURNS_AROUND):
        return
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.BitOr, ast.BitXor)):
        return
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
        return
    if isinstance(node, (ast.If, ast.IfExp, ast.FunctionDef, ast.Lambda, ast.ClassDef)):
        return
    yield node
    for one in ast.iter_child_nodes(node):
        yield from _plain(one)


def _assign(statement: ast.AST, names: dict[str, str]) -> None:
    """Take note of a name for an expression of columns, and of one that is given away."""
    if not isinstance(statement, ast.Assign):
        return
    for target in statement.targets:
        for one in ast.walk(target):
            if isinstance(one, ast.Name):
                names.pop(one.id, None)
        if isinstance(target, ast.Name):
            expression = _expression(statement.value, names)
            if expression is not None:
                names[target.id] = expression


class _Named(ast.NodeTransformer):
    """Puts expressions of columns in the place of local names."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.names, self.found = names, False

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """Replace one name."""
        if node.id not in self.names:
            return node
        self.found = True
        return ast.parse(self.names[node.id], mode="eval").body


def _expression(node: ast.AST, names: Mapping[str, str]) -> str | None:
    """Text of an expression of columns; None for one without columns, or with a comparison."""
    if any(isinstance(one, (ast.Compare, ast.Lambda)) for one in ast.walk(node)):
        return None
    named = _Named(names)
    text = ast.unparse(named.visit(ast.parse(ast.unparse(node), mode="eval").body))
    return text if named.found else None
