"""When two configuration values are the same."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pydantic
import pytest

from hepflow.logging.sameness import plain, same


class Model(pydantic.BaseModel):
    name: str
    edges: tuple[float, ...] = (1.0, 2.0)


@dataclass(frozen=True)
class Record:
    name: str
    parts: tuple[Model, ...]


class Colour(Enum):
    RED = "red"


class Cut:
    def __init__(self, threshold: float) -> None:
        self.threshold = threshold

    def __call__(self, pt):
        return pt > self.threshold

    def method(self):
        return self.threshold


class Slotted:
    __slots__ = ("threshold",)

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold


class Compiled:
    """Stands for what numba makes of a function."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.py_func = function
        self.cache = object()


def above(threshold: float) -> Callable[..., Any]:
    def cut(pt):
        return pt > threshold

    return cut


def recursive(step: int) -> Callable[..., Any]:
    def walk(n):
        return 0 if n == 0 else walk(n - step)

    return walk


def named(source: str) -> Callable[..., Any]:
    """Return the function that `source` defines; all have the same module and name."""
    scope: dict[str, Any] = {"__name__": "user.cuts"}
    exec(source, scope)  # noqa: S102 - the way to get two functions of one name
    function: Callable[..., Any] = scope["f"]
    return function


def test_plain_reduces_everything():
    record = Record("r", (Model(name="m"),))
    value = {"a": (record, np.array([[1, 2]]), np.float64(3)), "s": {"y", "x"}, "c": Colour.RED}
    assert plain(value) == {
        "a": [{"name": "r", "parts": [{"name": "m", "edges": [1.0, 2.0]}]}, [[1, 2]], 3.0],
        "s": ["x", "y"],
        "c": "red",
    }
    assert plain(Model) is Model


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((1, 2), [1, 2]),
        (np.arange(3), [0, 1, 2]),
        (np.float32(0.5), 0.5),
        (math.nan, float("nan")),
        ({"a": [math.nan]}, {"a": (np.nan,)}),
        (1, 1.0),
        (Path("out/a"), "out/a"),
        (Model(name="a"), {"name": "a", "edges": [1, 2]}),
        (Cut(3), Cut(3)),
        (Slotted(3), Slotted(3)),
        (Cut(3).method, Cut(3).method),
        (partial(max, 1, key=abs), partial(max, 1, key=abs)),
        (above(30), above(30)),
        (recursive(1), recursive(1)),
        (named("def f(x): return x > 1"), named("\n\ndef f(x): return x > 1")),
        (Compiled(above(3)), Compiled(above(3))),
        ({"b": 1, "a": 2}, {"a": 2, "b": 1}),
        (b"x", b"x"),
    ],
)
def test_same(left, right):
    assert same(left, right)
    assert same(right, left)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1, 2),
        (1, True),
        (0, False),
        (0, None),
        ("1", 1),
        ([1, 2], [2, 1]),
        ([1, 2], [1, 2, 3]),
        ({}, []),
        ({"a": 1}, {"b": 1}),
        (math.nan, 0.0),
        (Model, Record),
        (Cut(3), Cut(4)),
        (Slotted(3), Slotted(4)),
        (Cut(3), Slotted(3)),
        (Cut(3).method, Cut(4).method),
        (partial(max, 1), partial(max, 2)),
        (partial(max, key=abs), partial(max, key=len)),
        (above(30), above(40)),
        (recursive(1), recursive(2)),
        (abs, len),
        (Compiled(above(3)), Compiled(above(4))),
        (object(), object()),
        (b"x", b"y"),
    ],
)
def test_not_same(left, right):
    assert not same(left, right)
    assert not same(right, left)


@pytest.mark.parametrize(
    "other",
    [
        "def f(x, y=1): return x > 2",  # constant
        "def f(x, y=1): return x < 1",  # operation
        "def f(x, y=1): return x > 1.0",  # type of a constant
        "def f(x, y=2): return x > 1",  # default
        "def f(x, *, y=1): return x > 1",  # signature
        "def f(x, y=1): return y > 1",  # variable
        "def f(x, y=1): return x > z",  # global name
        "def g(x, y=1): return x > 1\nf = g",  # own name
        "f = lambda x, y=1: x > 1",
    ],
)
def test_functions_differ(other):
    assert not same(named("def f(x, y=1): return x > 1"), named(other))


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("(1, 2)", "(1, 2.0)"),
        ("(lambda: 1)()", "(lambda: 2)()"),
        ("x in {1, 2}", "x in {1, 3}"),
    ],
)
def test_functions_differ_in_nested_constants(one, two):
    left, again, right = (named(f"def f(x): return {body}") for body in (one, one, two))
    assert same(left, again)
    assert not same(left, right)


def test_two_lambdas_on_one_line_differ():
    low, high = (lambda pt: pt > 30), (lambda pt: pt > 40)
    assert not same(low, high)


def test_a_copy_is_the_same():
    value = {"f": above(3), "c": Cut(2), "p": partial(above, 3), "a": np.arange(4), "m": abs}
    assert same(value, copy.deepcopy(value))


def test_a_closure_not_assigned_yet():
    def make():
        def f():
            return later

        if len(__name__) < 0:
            later = 1
        return f

    assert same(make(), make())
