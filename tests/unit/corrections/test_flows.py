"""What lies beyond the edges of a file: what its flow says, and what counts of that."""

from __future__ import annotations

import json
import math

import correctionlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hepflow.corrections import evaluate, open_correction
from hepflow.corrections.evaluation import Evaluator
from hepflow.errors import CorrectionError
from tests.builders import binning, correction_node

FORMULA = {"nodetype": "formula", "expression": "10+x", "parser": "TFormula", "variables": ["n"]}
X, N, PHI = ({name: "real"} for name in ("x", "n", "phi"))


def made(inputs, data):
    """What evaluates a correction, and the library's own object of it."""
    node = correction_node("sf", inputs, data)
    text = json.dumps({"schema_version": 2, "corrections": [node]})
    theirs = correctionlib.CorrectionSet.from_string(text)["sf"]
    return Evaluator("sf.json", "sf", theirs, tuple(inputs.items()), node), theirs


def values(one, *inputs, way="error", beyond=1.0):
    return evaluate(one, inputs, None, way, beyond).tolist()


# -- numbers -----------------------------------------------------------------------------


@pytest.mark.parametrize("flow", [1.0, -999.0, 0], ids=str)
def test_a_number_beyond_the_edges_is_no_measurement(flow):
    one, _ = made(N, binning("n", [0, 5, 10], [3, FORMULA], flow))
    numbers = [4.0, 20.0, -1.0]
    says = (
        rf"'n' is 20 in 2 of 3 places, outside its domain \[0, 10\), where the file has {flow:g} "
        r"for everything\. Restrict the selection, or set out_of_range to 'clamp' or 'one'\.$"
    )
    with pytest.raises(CorrectionError, match=says):
        values(one, numbers)
    assert values(one, numbers, way="clamp") == pytest.approx([3.0, 20.0, 3.0])
    assert values(one, numbers, way="one") == [3.0, 1.0, 1.0]
    assert values(one, numbers, way="one", beyond=0.0) == [3.0, 0.0, 0.0]
    assert values(one, [4.0, 6.0]) == [3.0, 16.0]
    with pytest.raises(CorrectionError, match=r"'n' is nan in 1 of 2"):
        values(one, [4.0, math.nan])


def test_numbers_further_down_and_in_two_inputs_are_none_either():
    inner = binning("n", [0, 10], [2.0], -1.0)
    one, _ = made({**X, **N}, binning("x", [0, 1, 2], [inner, 7.0], 0.5))
    with pytest.raises(CorrectionError, match=r"'n' is 11 .* has -1 for everything"):
        values(one, [0.5, 1.5], [11.0, 11.0])
    assert values(one, [0.5, -3.0, 9.0], [11.0, 11.0, 11.0], way="clamp") == [2.0, 2.0, 7.0]
    table = {
        "nodetype": "multibinning", "inputs": ["x", "n"], "edges": [[0.0, 1.0, 2.0], [0.0, 9.0]],
        "content": [3.0, 4.0], "flow": 1.0,
    }  # fmt: skip
    one, _ = made({**X, **N}, table)
    with pytest.raises(CorrectionError, match=r"'n' is 9 in 1 of 2 .*\[0, 9\), .* has 1 for"):
        values(one, [0.5, 1.5], [1.0, 9.0])
    assert values(one, [-1.0, 5.0], [20.0, 20.0], way="clamp") == [3.0, 4.0]


def test_a_transformed_input_ends_at_a_number_too():
    rule = {"nodetype": "formula", "expression": "abs(x)", "parser": "TFormula",
            "variables": ["x"]}  # fmt: skip
    inside = {"nodetype": "transform", "input": "x", "rule": rule,
              "content": binning("x", [0, 1, 2], [5.0, 6.0], 1.0)}  # fmt: skip
    one, _ = made(X, inside)
    assert values(one, [-3.0, 0.5], way="clamp") == [6.0, 5.0]
    assert values(one, [-3.0, 0.5], way="one") == [1.0, 5.0]
    with pytest.raises(CorrectionError, match=r"'x' \(transformed .* is 3 .* has 1 for everything"):
        values(one, [-3.0, 0.5])


# -- nodes and bins that repeat ----------------------------------------------------------


def test_a_node_beyond_the_edges_goes_on():
    one, _ = made(N, binning("n", [0, 10], [3.0], FORMULA))
    for way in ("error", "clamp", "one"):
        assert values(one, [5.0, 20.0, -1.0], way=way) == [3.0, 30.0, 9.0]
    further = binning("n", [-50, 50], [4.0], -999.0)
    one, _ = made(N, binning("n", [0, 10], [3.0], further))
    assert values(one, [5.0, 20.0, -1.0]) == [3.0, 4.0, 4.0]
    assert values(one, [5.0, 60.0, -60.0], way="one") == [3.0, 1.0, 1.0]
    assert values(one, [5.0, 60.0, -60.0], way="clamp") == [3.0, 4.0, 4.0]
    with pytest.raises(CorrectionError, match=r"'n' is 60 in 1 of 1 .*\[-50, 50\), .* has -999"):
        values(one, [60.0])


def test_edges_at_infinity_let_a_number_count():
    one, _ = made(N, binning("n", ["-inf", 0, 10, "inf"], [1.0, 3.0, 0.5], "error"))
    assert values(one, [-1e9, 5.0, 20.0]) == [1.0, 3.0, 0.5]


@pytest.mark.parametrize(
    "edges", [[-3.0, 0.0, 3.0], {"n": 2, "low": -3.0, "high": 3.0}], ids=["edges", "uniform"]
)
def test_bins_that_repeat_are_endless_and_each_has_its_domain(edges):
    bins = [binning("n", [0, 10], [2.0], "clamp"), binning("n", [0, 20], [3.0], "clamp")]
    data = {**binning("phi", [0, 1], bins, "wrap"), "edges": edges}
    one, theirs = made({**PHI, **N}, data)
    phi, n = np.array([-10.0, -2.0, 2.0, 3.5, 5.0]), np.full(5, 5.0)  # -10: 2, 3.5: -2.5, 5: -1
    expected = [3.0, 2.0, 3.0, 2.0, 2.0]
    assert theirs.evaluate(phi, n).tolist() == expected
    for way in ("error", "clamp", "one"):
        assert values(one, phi, n, way=way) == expected
    assert values(one, phi, n + 10.0, way="one") == [3.0, 1.0, 3.0, 1.0, 1.0]
    with pytest.raises(CorrectionError, match=r"'n' is 15 in 3 of 5 places, .* \[0, 10\)"):
        values(one, phi, n + 10.0)
    with pytest.raises(CorrectionError, match=r"'phi' is inf in 1 of 1 places"):
        values(one, [math.inf], [5.0])


# -- law ---------------------------------------------------------------------------------

FLOWS = st.sampled_from(["clamp", "error", 1.0, -999.0])


@given(
    outer=FLOWS,
    inner=st.lists(FLOWS, min_size=2, max_size=2),
    points=st.lists(st.tuples(st.floats(-4, 6), st.floats(-4, 6)), min_size=1, max_size=20),
)
def test_no_flow_but_a_node_changes_the_domain(outer, inner, points):
    """Inside, and beyond, the values are those that the library has for the clamped input."""
    line = {**FORMULA, "variables": ["x"]}
    rows = [binning("n", [0, 2, 3], [1.0, line], flow) for flow in inner]
    one, theirs = made({**X, **N}, binning("x", [-1, 1, 4], rows, outer))
    x, n = np.array(points).T
    outside = (x < -1) | (x >= 4) | (n < 0) | (n >= 3)
    inside = np.clip(x, -1, np.nextafter(4, 0)), np.clip(n, 0, np.nextafter(3, 0))
    expected = theirs.evaluate(*inside)
    assert values(one, x, n, way="clamp") == expected.tolist()
    assert values(one, x, n, way="one") == np.where(outside, 1.0, expected).tolist()
    if outside.any():
        with pytest.raises(CorrectionError, match="outside its domain"):
            values(one, x, n)
    else:
        assert values(one, x, n) == expected.tolist()


def test_an_opened_file_is_judged_the_same_way(tmp_path):
    path = tmp_path / "sf.json"
    node = correction_node("sf", N, binning("n", [0, 10], [3.0], 1.0))
    path.write_text(json.dumps({"schema_version": 2, "corrections": [node]}))
    with pytest.raises(CorrectionError, match=r"'n' is 10 in 1 of 1"):
        values(open_correction(str(path), "sf", "1"), [10.0])
