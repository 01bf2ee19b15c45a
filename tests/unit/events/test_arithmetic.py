"""Functions that treat each object by itself are told from those that may not."""

from __future__ import annotations

import functools
import operator

import awkward as ak
import numpy as np
import pytest

from hepflow.events.arithmetic import is_arithmetic


def scaled(pt, *, by):
    return pt * by


def suppressing(pt):
    try:
        return pt - ak.mean(pt)
    except (ArithmeticError, AttributeError, TypeError, ValueError):
        return pt


def branching(pt):
    return pt if hasattr(pt, "layout") else pt * 2


@pytest.mark.parametrize(
    "function",
    [
        lambda pt: pt > 30.0,
        lambda pt: (pt > np.float32(30.0)) & (abs(pt) < 5) | ~(pt == 3),
        lambda pt: np.minimum(pt, 500.0) ** 2 / -pt,
        lambda pt: np.sqrt(np.hypot(pt, 3.0)),
        functools.partial(scaled, by=1.02),
        lambda _: 1.02,
        lambda pt: 1.0 if isinstance(pt, ak.Array) else len(pt),
    ],
)
def test_arithmetic(function):
    assert is_arithmetic(function, 1)


@pytest.mark.parametrize(
    "function",
    [
        lambda pt: pt / ak.max(pt, axis=1),
        lambda pt: pt[:, 0],
        lambda pt: pt * len(pt),
        lambda pt: pt.layout,
        np.add.reduce,
        lambda pt: np.add(pt, 1.0, dtype="f4"),
        lambda pt: pt + np.ones(3),
        lambda pt: np.divmod(pt, 2)[0],
        lambda pt: pt if pt > 3 else 1.0,
        lambda pt: np.where(pt > 3, pt, 0.0),
        np.asarray,
        lambda pt: [one * 2 for one in pt],
        lambda pt: {pt: 1}[pt],
        lambda pt: operator.setitem(pt, 0, 1.0),
        lambda _: "text",
        lambda pt, eta: pt * eta,
        suppressing,
        branching,
    ],
)
def test_anything_else(function):
    assert not is_arithmetic(function, 1)


def test_a_mask_that_is_one_number_is_none():
    assert not is_arithmetic(lambda _: True, 1, number=False)
