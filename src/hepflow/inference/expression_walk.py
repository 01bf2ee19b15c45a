"""Evaluation of an expression: its parsed text, walked node by node."""

from __future__ import annotations

import ast
import functools
import inspect
import operator
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import numpy as np

from hepflow.errors import ConfigurationError, Problem, did_you_mean
from hepflow.inference.expression_functions import FUNCTIONS, WrongArgument
from hepflow.inference.expression_values import (
    PROPERTIES,
    Condition,
    Number,
    Numbers,
    Objects,
    Truth,
    Value,
    Vector,
    condition,
    conjunction,
    disjunction,
    negation,
)
from hepflow.inference.physics.particles import Particles

LISTS = ("j", "l", "e", "mu", "a")
NAMES = (*LISTS, "met", "pi")
MAX_LENGTH = 2_000  # characters; the parser's recursion is bounded by it, too
MAX_DEPTH = 50
SHOWN = 200  # characters in messages
MAX_INDEX = 99

_ARITHMETIC: Mapping[type, tuple[str, Callable[[Any, Any], Any]]] = {
    ast.Add: ("+", operator.add),
    ast.Sub: ("-", operator.sub),
    ast.Mult: ("*", operator.mul),
    ast.Div: ("/", operator.truediv),
    ast.Pow: ("**", operator.pow),
    ast.Mod: ("%", operator.mod),
}
_COMPARISON: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_CHAINED = "Conditions are joined with and, or, not; & and | bind more closely than comparisons."


class Walk:
    """Evaluation of one expression on particles."""

    def __init__(self, text: str, where: str, particles: Particles) -> None:
        self.text, self.where, self.particles = text, where, particles
        self.depth = 0

    def result(self) -> Number | Truth:
        """Evaluate all of it; the result is one number or condition an event."""
        if len(self.text) > MAX_LENGTH:
            self.fail(None, f"it has {len(self.text)} characters; at most {MAX_LENGTH} are read")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore", SyntaxWarning
                )  # "1if c else 2" is a matter of taste
                tree = ast.parse(self.text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            column = getattr(error, "offset", None) or 1
            self.fail(None, f"it cannot be read at column {column} ({_reason(error)})")
        with np.errstate(all="ignore"):
            value = self.visit(tree)
        if not isinstance(value, Number | Truth):
            self.fail(
                tree,
                f"this is {value.kind}; expected one number or condition for each event",
                "Choose one, such as j[0].pt, or sum up: sum, min, max, len, any, all.",
            )
        return value

    def visit(self, node: ast.AST) -> Value:
        """Evaluate a node; what has no method here has no meaning."""
        method = getattr(self, f"_on_{type(node).__name__.lower()}", None)
        if method is None:
            self.fail(
                node,
                "this is not part of the language",
                "Allowed: numbers, + - * / ** %, comparisons, and, or, not, x if c else y, "
                f"functions, {', '.join(NAMES)} and their properties.",
            )
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.fail(node, f"it is nested more than {MAX_DEPTH} deep")
        try:
            value: Value = method(node)
        except ValueError:  # of awkward; ours are not ValueErrors
            self.fail(node, "lists of different lengths cannot be combined one by one")
        self.depth -= 1
        return value

    def fail(self, node: ast.AST | None, message: str, hint: str = "") -> NoReturn:
        """Raise the error with its place in the expression."""
        place = ""
        if node is not None and hasattr(node, "col_offset"):
            source = (ast.get_source_segment(self.text.strip(), node) or "")[:SHOWN]
            place = f", at column {node.col_offset + 1}, {source!r}"
        text = self.text if len(self.text) <= SHOWN else f"{self.text[:SHOWN]}..."
        problem = Problem(self.where, f"{text!r}{place}: {message}", hint)
        raise ConfigurationError([problem])

    def full(self, value: float) -> Number:
        """A constant for each event."""
        return Number(np.full(len(self.particles), value, dtype=np.float64))

    def _on_constant(self, node: ast.Constant) -> Value:
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            self.fail(node, "only numbers can stand here")
        try:
            return self.full(float(node.value))
        except OverflowError:
            self.fail(node, "the number is too large")

    def _on_name(self, node: ast.Name) -> Value:
        if node.id == "pi":
            return self.full(np.pi)
        if node.id == "met":
            zero = np.zeros(len(self.particles))
            met = self.particles.met
            polar = {"pt": np.asarray(met.pt), "eta": zero, "phi": np.asarray(met.phi)}
            return Vector.of({**polar, "mass": zero}, transverse=True)
        if node.id not in LISTS:
            self.fail(node, "unknown name", did_you_mean(node.id, (*NAMES, *FUNCTIONS), many=30))
        return Objects(getattr(self.particles, node.id))

    def _on_attribute(self, node: ast.Attribute) -> Value:
        owner = self.visit(node.value)
        if isinstance(owner, Objects):
            names: tuple[str, ...] = PROPERTIES
        elif isinstance(owner, Vector):
            names = owner.names()
        else:
            self.fail(node, f"{owner.kind} has no properties")
        if node.attr not in names:
            hint = did_you_mean(node.attr, names, many=len(names))
            self.fail(node, f"{owner.kind} has no {node.attr!r}", hint)
        if isinstance(owner, Objects):
            return owner.column(node.attr)
        return Number(owner.get(node.attr))

    def _on_subscript(self, node: ast.Subscript) -> Value:
        owner = self.visit(node.value)
        if not isinstance(owner, Objects):
            self.fail(node, f"{owner.kind} has no index", f"Lists are {', '.join(LISTS)}.")
        if isinstance(node.slice, ast.Slice):
            if node.slice.step is not None:
                self.fail(node, "a slice has no step here")
            ends = [end and self._index(end) for end in (node.slice.lower, node.slice.upper)]
            return Objects(owner.value[:, slice(*ends)])
        return owner.item(self._index(node.slice))

    def _index(self, node: ast.expr) -> int:
        """Return a constant whole number."""
        negative = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)
        inner = node.operand if isinstance(node, ast.UnaryOp) else node
        value = inner.value if isinstance(inner, ast.Constant) else None
        plain = negative or not isinstance(node, ast.UnaryOp)
        if not plain or type(value) is not int or value > MAX_INDEX:
            self.fail(node, f"an index is a whole number up to {MAX_INDEX}")
        return -value if negative else value

    def _on_unaryop(self, node: ast.UnaryOp) -> Value:
        value = self.visit(node.operand)
        if isinstance(node.op, ast.Not) and isinstance(value, Condition):
            return negation(value)
        if isinstance(node.op, ast.USub | ast.UAdd) and isinstance(value, Number | Numbers):
            return type(value)(-value.value if isinstance(node.op, ast.USub) else value.value)
        return self.fail(node, f"this cannot be applied to {value.kind}", self.joining(node.op))

    def _on_binop(self, node: ast.BinOp) -> Value:
        left, right = self.visit(node.left), self.visit(node.right)
        if type(node.op) not in _ARITHMETIC:
            self.fail(node, "this operator is not part of the language", self.joining(node.op))
        symbol, function = _ARITHMETIC[type(node.op)]
        if isinstance(left, Vector) and isinstance(right, Vector) and symbol in "+-":
            return left.plus(right, 1 if symbol == "+" else -1)
        if isinstance(left, Number | Numbers) and isinstance(right, Number | Numbers):
            both = function(left.value, right.value)
            listed = isinstance(left, Numbers) or isinstance(right, Numbers)
            return Numbers(both) if listed else Number(np.asarray(both, dtype=float))
        return self.fail(node, f"{symbol} between {left.kind} and {right.kind} has no meaning")

    def joining(self, op: ast.AST) -> str:
        """Hint where somebody joins conditions as numpy wants it."""
        return _CHAINED if isinstance(op, ast.BitAnd | ast.BitOr | ast.Invert) else ""

    def _on_boolop(self, node: ast.BoolOp) -> Value:
        values: list[Condition] = []
        for part in node.values:
            value = self.visit(part)
            if not isinstance(value, Condition):
                self.fail(part, f"this is {value.kind}; and, or join conditions")
            values.append(value)
        return functools.reduce(
            conjunction if isinstance(node.op, ast.And) else disjunction, values
        )

    def _on_compare(self, node: ast.Compare) -> Value:
        values = [self.visit(one) for one in (node.left, *node.comparators)]
        parts = [
            self._compared(node, op, *pair)
            for op, *pair in zip(node.ops, values[:-1], values[1:], strict=True)
        ]
        return functools.reduce(conjunction, parts)

    def _compared(self, node: ast.Compare, op: ast.AST, left: Value, right: Value) -> Condition:
        if type(op) not in _COMPARISON:
            self.fail(node, "this comparison is not part of the language", "Use < <= > >= == !=.")
        if not isinstance(left, Number | Numbers) or not isinstance(right, Number | Numbers):
            self.fail(node, f"{left.kind} cannot be compared with {right.kind}")
        found = _COMPARISON[type(op)](left.value, right.value)
        known = ~(np.isnan(left.value) | np.isnan(right.value))
        return condition(found & known, known, left, right)

    def _on_ifexp(self, node: ast.IfExp) -> Value:
        test, yes, no = (self.visit(one) for one in (node.test, node.body, node.orelse))
        if not isinstance(test, Truth) or not isinstance(yes, Number) or not isinstance(no, Number):
            self.fail(node, "expected: number if condition else number")
        chosen = np.where(test.true, yes.value, no.value)
        return Number(np.where(test.known, chosen, np.nan))

    def _on_call(self, node: ast.Call) -> Value:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in FUNCTIONS:
            hint = did_you_mean(name, FUNCTIONS, many=len(FUNCTIONS))
            self.fail(node, "unknown function", hint)
        if node.keywords or any(isinstance(one, ast.Starred) for one in node.args):
            self.fail(node, f"expected {FUNCTIONS[name].usage}")
        function, arguments = FUNCTIONS[name], [self.visit(one) for one in node.args]
        try:
            inspect.signature(function.call).bind(*arguments)
        except TypeError:
            self.fail(node, f"expected {function.usage}")
        try:
            return function.call(*arguments)
        except WrongArgument as error:
            self.fail(node, str(error))


def _reason(error: Exception) -> str:
    return error.msg if isinstance(error, SyntaxError) else str(error) or type(error).__name__
