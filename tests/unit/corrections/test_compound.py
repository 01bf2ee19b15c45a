"""Corrections of several steps: each on what the one before it left, each with its own domain."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hepflow.corrections import Choice, correction_values, evaluate, open_correction
from hepflow.corrections.box import Box
from hepflow.errors import CorrectionError
from hepflow.schema import Correction
from tests.builders import binning, correction_node, shared

INPUTS = {"eta": "real", "pt": "real"}
FIRST = correction_node("L1", INPUTS, binning("pt", [10, 20, 100], [2.0, 3.0], "error"))
SECOND = correction_node("L2", {"pt": "real"}, binning("pt", [0, 60, 120], [0.5, 0.25], "clamp"))


def compound(**changes):
    rows = [{"name": key, "type": kind} for key, kind in INPUTS.items()]
    node = {
        "name": "L1L2",
        "inputs": rows,
        "output": {"name": "factor", "type": "real"},
        "inputs_update": ["pt"],
        "input_op": "*",
        "output_op": "*",
        "stack": ["L1", "L2"],
    }
    return {**node, **changes}


@pytest.fixture
def opened(tmp_path):
    def make(node=None, *, repeated=False, key="L1L2"):
        path = tmp_path / "jec.json"
        nodes = [FIRST, {**SECOND, "name": "L1L2"}] if repeated else [FIRST, SECOND]
        content = {"schema_version": 2, "corrections": nodes}
        content["compound_corrections"] = [node or compound()]
        path.write_text(json.dumps(content))
        return open_correction(str(path), key, repr(node))

    return make


def values(one, pt, out_of_range="error"):
    return evaluate(one, [np.zeros(len(pt)), pt], None, out_of_range).tolist()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [1.0, 0.75]),  # 15 * 2 = 30 -> 0.5; 25 * 3 = 75 -> 0.25
        ({"output_op": "+"}, [2.5, 3.25]),
        ({"output_op": "last"}, [0.5, 0.25]),
        ({"input_op": "+"}, [1.0, 1.5]),  # 17 and 28
        ({"inputs_update": []}, [1.0, 1.5]),
        ({"stack": ["L2", "L1"], "input_op": "/"}, [1.5, 1.5]),  # 15 / 0.5 = 30, 25 / 0.5 = 50
    ],
)
def test_each_step_reads_what_the_one_before_it_left(opened, changes, expected):
    assert values(opened(compound(**changes)), [15.0, 25.0]) == expected


def test_each_step_has_a_domain_of_its_own(opened):
    one = opened()
    assert [name for name, _ in one.inputs] == ["eta", "pt"]
    with pytest.raises(CorrectionError, match=r"'L1' .*'pt' is 5 .*\[10, 100\)") as caught:
        values(one, [15.0, 5.0])
    assert "step of 'L1L2'" in caught.value.__notes__[0]
    with pytest.raises(CorrectionError, match=r"'L2' .*'pt' is 150 .*\[0, 120\)"):
        values(one, [50.0])
    assert values(one, [15.0, 5.0, 50.0], "clamp") == [1.0, 1.0, 0.75]  # 5: 2, then 10 -> 0.5
    assert values(one, [15.0, 5.0, 50.0], "one") == [1.0, 1.0, 1.0]
    assert values(one, [25.0, 50.0], "one") == [0.75, 1.0]


def test_single_steps_stay_by_themselves_and_are_told_with_the_compound_ones(opened):
    assert values(opened(key="L1"), [15.0]) == [2.0]
    with pytest.raises(CorrectionError, match=r"no correction 'L1L22'\. Did you mean 'L1L2'\?"):
        opened(key="L1L22")


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (compound(stack=[]), "the steps of 'L1L2' do not fit together"),
        (compound(input_op="last"), "do not fit together"),
        (compound(inputs_update=["mass"]), "do not fit together"),
        (compound(inputs=[{"name": "eta", "type": "real"}]), "do not fit together"),
        (compound(stack=["L1", "L3"]), "there is no correction 'L3'"),
    ],
)
def test_steps_that_do_not_fit_are_told_when_the_file_is_opened(opened, node, message):
    with pytest.raises(CorrectionError, match=message):
        opened(node)


def test_two_corrections_of_one_name_are_told(opened):
    with pytest.raises(CorrectionError, match="two corrections have the same name"):
        opened(repeated=True)


def test_what_is_in_the_box_is_what_the_walk_through_the_nodes_accepts(monkeypatch):
    """Objects that need not be followed have the values, and the errors, of those that are."""
    file = str(shared("corrections/2018/jet_jerc.json.gz"))
    rng = np.random.default_rng(8)
    n = 400
    inputs = {"JetA": rng.uniform(0, 1, n), "JetEta": rng.uniform(-5.5, 5.5, n),
              "JetPt": rng.uniform(5, 7000, n), "Rho": rng.uniform(0, 100, n)}  # fmt: skip
    names = ("V5_MC_L1L2L3Res", "V5_MC_Regrouped_HF", "JRV2_MC_PtResolution")
    with monkeypatch.context() as patch:
        found = {}
        for known in (True, False):
            if not known:
                patch.setattr(Box, "outside", lambda _, values, length: np.arange(length))
            for name in names:
                one = open_correction(file, f"Summer19UL18_{name}_AK4PFchs", "box")
                given = [inputs[key] for key, _ in one.inputs]
                for way in ("one", "clamp"):
                    found[known, name, way] = evaluate(one, given, None, way, -1.0)
    for name in names:
        for way in ("one", "clamp"):
            assert np.array_equal(found[True, name, way], found[False, name, way])
        outside = (found[True, name, "one"] == -1.0).sum()
        assert 0 < outside < n / 2


def test_a_compound_correction_is_configured_as_any(opened, tmp_path):
    import awkward as ak

    opened()
    jets = ak.zip({"eta": [[0.0, 0.0], []], "pt": [[15.0, 25.0], []]})
    one = Correction(
        name="jec", type="object", file=str(tmp_path / "jec.json"), key="L1L2",
        use=[("Jet", "eta"), ("Jet", "pt")], target=("Jet", "pt"),
    )  # fmt: skip
    found = correction_values(one, "d", ak.Array({"Jet": jets}), Choice(), "x")
    assert found.tolist() == [[1.0, 0.75], []]
