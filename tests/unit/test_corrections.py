"""Corrections: the file's values inside its domain; an error, or what was asked, outside."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path

import awkward as ak
import correctionlib
import numpy as np
import pytest

from hepflow.corrections import (
    Choice,
    correction_values,
    evaluate,
    open_correction,
    per_event,
    sources_of,
)
from hepflow.errors import ChecksumError, CorrectionError, UserFunctionError
from hepflow.schema import Correction
from hepflow.storage import sha256_file
from tests.builders import (
    binning,
    category,
    correction_node,
    scale_node,
    shared,
    write_corrections,
)

VALUES = {"nominal": [2.0, 3.0, 4.0], "up": [2.2, 3.3, 4.4], "down": [1.8, 2.7, 3.6]}


def pileup(tmp_path, flow="error"):
    return write_corrections(
        tmp_path / "pu.json", scale_node("pu", "n", [0, 10, 20, 30], VALUES, flow)
    )


def opened(file, key="pu"):
    return open_correction(file, key, sha256_file(file))


def configured(file="", **changes):
    fields = {
        "name": "sf",
        "type": "event",
        "file": file or None,
        "key": "pu",
        "use": [("event", "n")],
        "nominal_idx": "nominal",
        "up_and_down_idx": ("up", "down"),
    }
    return Correction(**{**fields, **changes})


def on_events(correction, events, choice=None):
    return correction_values(correction, "d", events, choice or Choice(), "corrections[0] (sf)")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            {"n": 1.0},
            "transform_in: returned a value of type dict, expected for each input a",
        ),
        (ak.Array([{"n": 1.0}]), "transform_in: returned an array of 1 records with n"),
        (ak.Array([[[1.0]]]), "transform_in: returned an array of 1 lists of lists of numbers"),
    ],
    ids=range(3),
)
def test_the_inputs_of_a_file_are_numbers(tmp_path, value, message):
    one = configured(pileup(tmp_path), transform_in=lambda _: value)
    with pytest.raises(UserFunctionError, match=message) as caught:
        on_events(one, ak.zip({"n": [5.0]}))
    assert "The function is tests.unit.test_corrections" in caught.value.__notes__[0]


def test_texts_stand_where_the_file_wants_them(tmp_path):
    events = ak.zip({"n": [5.0]})
    with pytest.raises(CorrectionError, match="input 'n' is of type real, but got 'a'"):
        on_events(configured(pileup(tmp_path), transform_in=lambda _: "a"), events)
    twice = {"args": [("event", "n"), ("event", "n")], "nominal_idx": None, "use": []}
    turned = configured(pileup(tmp_path), **twice, up_and_down_idx=None)
    with pytest.raises(CorrectionError, match="is of type string, but got numbers"):
        on_events(turned, events)


@pytest.mark.parametrize("place", ["nominal_function", "transform_out"])
def test_the_value_of_a_function_is_of_numbers(place):
    functions = {"nominal_function": np.sqrt, place: lambda _: None}
    one = configured(use_correctionlib=False, key=None, nominal_idx=None, up_and_down_idx=None,
                     **functions)  # fmt: skip
    with pytest.raises(UserFunctionError, match="returned None, expected a number, or numbers"):
        on_events(one, ak.zip({"n": [5.0]}))


# -- values and directions ---------------------------------------------------------------


def test_nominal_up_and_down_are_those_of_the_file(tmp_path):
    events = ak.zip({"n": [5.0, 15.0, 29.999, 0.0]})
    one = configured(pileup(tmp_path))
    assert list(on_events(one, events)) == [2.0, 3.0, 4.0, 2.0]
    assert list(on_events(one, events, Choice("sf", "up"))) == [2.2, 3.3, 4.4, 2.2]
    assert list(on_events(one, events, Choice("sf", "down"))) == [1.8, 2.7, 3.6, 1.8]
    assert list(on_events(one, events, Choice("another", "up"))) == [2.0, 3.0, 4.0, 2.0]


def test_each_source_of_a_correction_has_its_own_names(tmp_path):
    one = configured(
        pileup(tmp_path),
        up_and_down_idx=None,
        uncertainty_sources=[
            {"name": "a", "up_and_down_idx": ("up", "nominal")},
            {"name": "b", "up_and_down_idx": ("nominal", "down")},
        ],
    )
    events = ak.zip({"n": [5.0]})
    assert sources_of(one) == ("a", "b")
    found = {(s, d): on_events(one, events, Choice(s, d))[0] for s in "ab" for d in ("up", "down")}
    assert found == {("a", "up"): 2.2, ("a", "down"): 2.0, ("b", "up"): 2.0, ("b", "down"): 1.8}
    assert sources_of(configured("f.json")) == ("sf",)


def test_jagged_inputs_give_jagged_values_and_flat_ones_are_repeated(tmp_path):
    data = category(
        "systematic",
        {"nominal": binning("n", [0, 10, 20], [binning("m", [0, 1, 2], [1, 2], "error"),
                                              binning("m", [0, 1, 2], [3, 4], "error")], "error")},
    )  # fmt: skip
    inputs = {"n": "real", "m": "real", "systematic": "string"}
    file = write_corrections(tmp_path / "x.json", correction_node("pu", inputs, data))
    events = ak.zip(
        {"n": [15.0, 5.0, 5.0], "Muon": ak.Array([[{"m": 0.5}, {"m": 1.5}], [], [{"m": 1.0}]])},
        depth_limit=1,
    )
    one = configured(file, use=[("event", "n"), ("Muon", "m")], up_and_down_idx=None)
    values = on_events(one, events)
    assert values.tolist() == [[3.0, 4.0], [], [2.0]]
    assert per_event(values, 3, "prod", "x").tolist() == [12.0, 1.0, 2.0]
    assert per_event(values, 3, "sum", "x").tolist() == [7.0, 0.0, 2.0]


def test_columns_of_different_objects_are_an_error_even_with_equal_totals(tmp_path):
    inputs = {"n": "real", "m": "real"}
    file = write_corrections(
        tmp_path / "x.json", correction_node("pu", inputs, binning("n", [0, 9], [1], "error"))
    )
    events = ak.zip(
        {"A": ak.Array([[{"n": 1.0}], []]), "B": ak.Array([[], [{"m": 1.0}]])}, depth_limit=1
    )
    one = configured(file, use=[("A", "n"), ("B", "m")], nominal_idx=None, up_and_down_idx=None)
    with pytest.raises(CorrectionError, match="different numbers of objects"):
        on_events(one, events)


def test_the_transform_makes_the_inputs_and_constants_may_be_among_them(tmp_path):
    one = configured(pileup(tmp_path), transform_in=lambda n: [n * 10])
    assert list(on_events(one, ak.zip({"n": [0.5, 2.9]}))) == [2.0, 4.0]
    constant = configured(pileup(tmp_path), transform_in=lambda _: (5.0,))
    assert list(on_events(constant, ak.zip({"n": [0.5, 2.9]}))) == [2.0, 2.0]

    def broken(_):
        raise ValueError("no")

    with pytest.raises(UserFunctionError, match=r"corrections\[0\] \(sf\).*raised ValueError: no"):
        on_events(configured(pileup(tmp_path), transform_in=broken), ak.zip({"n": [0.5]}))


def test_functions_give_values_without_a_file():
    fields = {
        "file": None, "key": None, "nominal_idx": None, "up_and_down_idx": None,
        "use_correctionlib": False, "nominal_function": lambda n: n + 1,
        "uncertainty_sources": [
            {"name": "s", "up_function": lambda n: n + 2, "down_function": lambda n: n}
        ],
    }  # fmt: skip
    one, events = configured(**fields), ak.zip({"n": [1.0, 2.0]})
    assert on_events(one, events).tolist() == [2.0, 3.0]
    assert on_events(one, events, Choice("s", "up")).tolist() == [3.0, 4.0]
    assert on_events(one, events, Choice("s", "down")).tolist() == [1.0, 2.0]
    assert on_events(one, events, Choice("else", "down")).tolist() == [2.0, 3.0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ones(2), "gave 2 factors for 3 events"),
        (np.ones((3, 2)), "gave 3 x 2 factors for 3 events"),
        (np.array([1.0, np.nan, 1.0]), "1 of 3 factors are not finite"),
        (np.array([1.0, np.inf, -np.inf]), "2 of 3 factors are not finite"),
    ],
)
def test_there_is_one_finite_factor_an_event(values, message):
    with pytest.raises(CorrectionError, match=f"here: .*{message}"):
        per_event(values, 3, "prod", "here")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (ak.Array([1, None, 1]), "1 of 3 values are missing. Fill them: ak.fill_none"),
        (ak.mask(np.ones(3, bool), [True, False, False]), "2 of 3 values are missing"),
        (ak.Array([[1.0, None], [], [2.0]]), "1 of 3 values are missing"),
        (ak.Array([[1.0], None, [2.0]]), "1 of 3 values are missing"),
        (np.ma.masked_array(np.ones(3), [True, True, False]), "2 of 3 values are masked"),
        ([1.0, None, 2.0], "values of type object. Expected real numbers"),
        (np.ones(3, complex), "values of type complex128"),
        (ak.Array([[[1.0]], [], []]), "each value is a list or a record"),
    ],
    ids=["integers", "truth", "in lists", "lists", "masked", "None", "complex", "deep"],
)
@pytest.mark.parametrize("reduce", ["prod", "sum"])
def test_no_factor_of_an_event_or_object_is_missing(values, message, reduce):
    with pytest.raises(UserFunctionError, match=f"^here: {message}"):
        per_event(values, 3, reduce, "here")


def test_values_that_could_be_missing_but_are_not_are_fine():
    there = ak.mask(ak.Array([[1.5, 2.0], []]), [[True, True], []])
    assert per_event(there, 2, "prod", "here").tolist() == [3.0, 1.0]
    assert per_event(np.ma.masked_array([2.0, 3.0]), 2, "prod", "here").tolist() == [2.0, 3.0]
    assert per_event(np.array([True, False]), 2, "prod", "here").tolist() == [1.0, 0.0]


@pytest.mark.parametrize("way", ["error", "clamp", "one"])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda n: np.ma.masked_array(np.asarray(n), [True, False]), "1 of 2 values are masked"),
        (lambda n: ak.mask(n, [False, True]), "1 of 2 values are missing"),
        (
            lambda n: ak.mask(ak.values_astype(n, "int64"), [False, True]),
            "1 of 2 values are missing",
        ),
        (lambda n: ak.Array([[1.0, None], [2.0]]), "1 of 3 values are missing"),
        (lambda n: ak.Array([None, [2.0]]), "1 of 2 values are missing"),
    ],
    ids=["masked", "missing", "missing integers", "in lists", "lists"],
)
def test_no_input_of_a_file_is_missing(tmp_path, way, wrong, message):
    one = configured(pileup(tmp_path), transform_in=wrong, out_of_range=way)
    with pytest.raises(UserFunctionError, match=rf"^corrections\[0\] \(sf\): {message}"):
        on_events(one, ak.zip({"n": [5.0, 15.0]}))


@pytest.mark.parametrize("flow", ["error", "clamp"])
def test_what_is_not_a_number_is_nearest_to_nothing(tmp_path, flow):
    numbers = [np.nan, 5.0, 99.0, np.nan]
    one = opened(pileup(tmp_path, flow))
    with pytest.raises(
        CorrectionError,
        match=r"'pu' of .*: input 'n' is not a number in 2 of 4 places.*out_of_range to 'one'",
    ):
        evaluate(one, [numbers], "nominal", "clamp")
    assert evaluate(one, [numbers[1:3]], "nominal", "clamp").tolist() == [2.0, 4.0]
    assert evaluate(one, [numbers], "nominal", "one").tolist() == [1.0, 2.0, 1.0, 1.0]


def test_one_factor_for_all_events_is_spread():
    assert per_event(1.5, 3, "prod", "x").tolist() == [1.5, 1.5, 1.5]


# -- files -------------------------------------------------------------------------------


def test_a_missing_broken_or_other_file_is_named(tmp_path):
    with pytest.raises(CorrectionError, match=r"gone\.json: there is no such"):
        open_correction(str(tmp_path / "gone.json"), "pu", "1")
    for name, content in (("a.json", b"{"), ("b.json", b"[]"), ("c.json.gz", b"not gzip")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CorrectionError, match=rf"{name}: not a correctionlib file"):
            open_correction(str(tmp_path / name), "pu", "1")


def test_an_unknown_key_names_the_nearest(tmp_path):
    with pytest.raises(CorrectionError, match=r"no correction 'puu'\. Did you mean 'pu'\?"):
        open_correction(pileup(tmp_path), "puu", "1")


def test_a_changed_file_is_opened_anew(tmp_path):
    file = pileup(tmp_path)
    before = evaluate(opened(file), [[5.0]], "nominal", "error")
    write_corrections(
        tmp_path / "pu.json",
        scale_node("pu", "n", [0, 10, 20, 30], {"nominal": [7, 8, 9]}, "error"),
    )
    after = evaluate(opened(file), [[5.0]], "nominal", "error")
    assert (before.tolist(), after.tolist()) == ([2.0], [7.0])


def test_wrong_inputs_say_what_the_correction_takes(tmp_path):
    one = opened(pileup(tmp_path))
    with pytest.raises(CorrectionError, match=r"takes 2 inputs \(n, systematic\), got 3"):
        evaluate(one, [[1.0], [2.0]], "nominal", "error")
    with pytest.raises(CorrectionError, match="Is `nominal_idx` missing"):
        evaluate(one, [[1.0]], None, "error")
    with pytest.raises(CorrectionError, match="'sideways'"):
        evaluate(one, [[1.0]], "sideways", "error")
    inputs = {"a": "real", "b": "real"}
    data = binning("a", [0, 9], [1], "error")
    two = opened(write_corrections(tmp_path / "2.json", correction_node("pu", inputs, data)))
    with pytest.raises(CorrectionError, match=r"differ in length \(2, 3\)"):
        evaluate(two, [[1.0, 2.0], [1.0, 2.0, 3.0]], None, "error")
    with pytest.raises(CorrectionError, match="0 string inputs"):
        evaluate(two, [[1.0]], "nominal", "error")


# -- domains -----------------------------------------------------------------------------


@pytest.mark.parametrize("flow", ["error", "clamp"])
@pytest.mark.parametrize("value", [-0.001, 30.0, 150.0, math.nan, math.inf])
def test_beyond_the_edges_is_an_error_that_names_everything(tmp_path, flow, value):
    one = configured(pileup(tmp_path, flow))
    with pytest.raises(CorrectionError) as caught:
        on_events(one, ak.zip({"n": [5.0, value, 7.0]}))
    parts = ("'pu'", "pu.json", "'n'", f"{value:g}", "1 of 3", "[0, 30)", "out_of_range")
    for part in parts:
        assert part in str(caught.value)
    assert any("corrections[0] (sf)" in note for note in caught.value.__notes__)


@pytest.mark.parametrize("flow", ["error", "clamp"])
def test_clamp_takes_the_value_at_the_edge_and_one_takes_one(tmp_path, flow):
    file = pileup(tmp_path, flow)
    numbers = [-5.0, 0.0, 29.9, 30.0, 150.0]
    found = evaluate(opened(file), [numbers], "up", "clamp")
    assert found.tolist() == [2.2, 2.2, 4.4, 4.4, 4.4]
    found = evaluate(opened(file), [numbers], "up", "one")
    assert found.tolist() == [1.0, 2.2, 4.4, 1.0, 1.0]


def test_clamp_takes_a_formula_at_the_edge(tmp_path):
    line = {"nodetype": "formula", "expression": "2*x", "parser": "TFormula", "variables": ["n"]}
    node = correction_node("pu", {"n": "real"}, binning("n", [0, 10], [line], "clamp"))
    one = opened(write_corrections(tmp_path / "x.json", node))
    assert evaluate(one, [[5.0, 20.0, -1.0]], None, "clamp") == pytest.approx([10.0, 20.0, 0.0])


def test_each_branch_has_its_own_domain(tmp_path):
    low = binning("n", [0, 10], [2], "clamp")
    high = binning("n", [10, 90], [3], "clamp")
    data = category("flavour", {0: low, 5: high})
    node = correction_node("pu", {"flavour": "int", "n": "real"}, data)
    one = opened(write_corrections(tmp_path / "x.json", node))
    assert evaluate(one, [[0, 5], [9.0, 11.0]], None, "error").tolist() == [2.0, 3.0]
    with pytest.raises(CorrectionError, match=r"'n' is 11 in 1 of 2 places, .* \[0, 10\)"):
        evaluate(one, [[0, 5], [11.0, 11.0]], None, "error")
    with pytest.raises(CorrectionError, match=r"'flavour' is 4 in 1 of 1 .*none of 0, 5"):
        evaluate(one, [[4], [11.0]], None, "error")
    assert evaluate(one, [[4, 0], [11.0, 9.0]], None, "one").tolist() == [1.0, 2.0]
    for way in ("error", "clamp"):  # there is no nearest flavour
        with pytest.raises(CorrectionError, match=r"selection, or set out_of_range to 'one'\.$"):
            evaluate(one, [[4], [11.0]], None, way)


def test_a_transformed_input_is_judged_by_what_the_file_makes_of_it(tmp_path):
    rule = {"nodetype": "formula", "expression": "abs(x)", "parser": "TFormula",
            "variables": ["eta"]}  # fmt: skip
    content = binning("eta", [0, 1, 2.4], [2, 3], "error")
    data = {"nodetype": "transform", "input": "eta", "rule": rule, "content": content}
    file = write_corrections(tmp_path / "x.json", correction_node("pu", {"eta": "real"}, data))
    one = opened(file)
    assert evaluate(one, [[-0.5, -2.0, 2.0]], None, "error").tolist() == [2.0, 3.0, 3.0]
    assert evaluate(one, [[-0.5, -2.0, 2.0]], None, "clamp").tolist() == [2.0, 3.0, 3.0]
    for value in (2.4, -2.4, -3.0):
        with pytest.raises(CorrectionError, match=rf"'eta' .* is {abs(value):g} .*\[0, 2\.4\)"):
            evaluate(one, [[0.5, value]], None, "error")
    assert evaluate(one, [[-3.0, 2.4, 0.1]], None, "clamp").tolist() == [3.0, 3.0, 2.0]
    assert evaluate(one, [[-3.0, 2.4, 0.1]], None, "one").tolist() == [1.0, 1.0, 2.0]


def test_bins_in_two_inputs_and_uniform_bins_have_domains(tmp_path):
    data = {
        "nodetype": "multibinning",
        "inputs": ["x", "y"],
        "edges": [[0.0, 1.0, 2.0], {"n": 2, "low": 10.0, "high": 20.0}],
        "content": [1.0, 2.0, 3.0, 4.0],
        "flow": "clamp",
    }
    node = correction_node("pu", {"x": "real", "y": "real"}, data)
    one = opened(write_corrections(tmp_path / "x.json", node))
    assert evaluate(one, [[0.5, 1.5], [16.0, 11.0]], None, "error").tolist() == [2.0, 3.0]
    with pytest.raises(CorrectionError, match=r"'x' is 2 .*\[0, 2\)"):
        evaluate(one, [[2.0], [11.0]], None, "error")
    with pytest.raises(CorrectionError, match=r"'y' is 20 .*\[10, 20\)"):
        evaluate(one, [[1.0], [20.0]], None, "error")
    assert evaluate(one, [[2.0, -1.0], [20.0, 9.0]], None, "clamp").tolist() == [4.0, 1.0]


def test_no_object_needs_no_domain(tmp_path):
    assert evaluate(opened(pileup(tmp_path)), [[]], "nominal", "error").tolist() == []


# -- real files --------------------------------------------------------------------------

MUON = "NUM_TightID_DEN_TrackerMuons"


def real(path, key):
    file = str(shared(f"corrections/{path}"))
    return open_correction(file, key, "real")


def test_the_first_bin_of_the_real_muon_scale_factor():
    # The values stand in the README of the real inputs.
    one = real("2016postVFP/muon_Z.json.gz", MUON)
    for eta in (0.1, -0.1):
        found = [
            evaluate(one, [[eta], [15.0]], name, "error")[0]
            for name in ("nominal", "systup", "systdown")
        ]
        assert found == pytest.approx([0.98943, 0.99425, 0.98461], abs=5e-6)


@pytest.mark.parametrize(
    ("eta", "pt", "name"), [(0.1, 14.999, "pt"), (2.4, 40, "eta"), (-2.4, 40, "eta")]
)
def test_the_edges_of_the_real_muon_scale_factor(eta, pt, name):
    one = real("2016postVFP/muon_Z.json.gz", MUON)
    with pytest.raises(CorrectionError, match=f"{MUON}.*{name!r}"):
        evaluate(one, [[eta], [pt]], "nominal", "error")
    assert evaluate(one, [[np.nextafter(2.4, 0)], [15.0]], "nominal", "error")[0] > 0.9


@pytest.mark.parametrize("value", [150.0, -5.0])
def test_the_real_pile_up_file_does_not_clamp_silently(value):
    one = real("2016postVFP/puWeights.json.gz", "Collisions16_UltraLegacy_goldenJSON")
    assert np.isfinite(one.correction.evaluate(value, "nominal"))  # the library says nothing
    with pytest.raises(CorrectionError, match=rf"is {value:g} .*\[0, "):
        evaluate(one, [[20.0, value]], "nominal", "error")
    inside = evaluate(one, [[20.0]], "nominal", "error")[0]
    assert evaluate(one, [[20.0, value]], "nominal", "one").tolist() == [inside, 1.0]


def test_inside_the_domain_the_values_are_those_of_correctionlib():
    file = shared("corrections/2018/btagging.json.gz")
    theirs = correctionlib.CorrectionSet.from_file(str(file))["deepJet_shape"]
    one = real("2018/btagging.json.gz", "deepJet_shape")
    rng = np.random.default_rng(3)
    arguments = [
        rng.choice([0, 4, 5], 500), rng.uniform(0, 2.5, 500), rng.uniform(20, 900, 500),
        rng.uniform(0, 1, 500),
    ]  # fmt: skip
    found = evaluate(one, arguments, "central", "error")
    assert np.array_equal(found, theirs.evaluate("central", *arguments))
    assert np.array_equal(evaluate(one, arguments, "central", "clamp"), found)
    arguments[2][7] = 15.0  # flow clamp: the library takes the first bin and says nothing
    with pytest.raises(CorrectionError, match=r"'pt' is 15 in 1 of 500"):
        evaluate(one, arguments, "central", "error")


def test_the_cache_of_the_key_needs_the_digest(tmp_path):
    file = pileup(tmp_path)
    assert open_correction(file, "pu", "1") is open_correction(file, "pu", "1")
    assert open_correction(file, "pu", "1") is not open_correction(file, "pu", "2")
    assert json.loads((tmp_path / "pu.json").read_text())["schema_version"] == 2


@pytest.mark.parametrize("name", ["pu.json", "pu.json.gz"])
def test_a_file_that_changes_while_a_run_goes_on_is_refused(tmp_path, name):
    content = Path(pileup(tmp_path)).read_bytes()
    file = tmp_path / name
    file.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    digest = sha256_file(file)
    assert open_correction(str(file), "pu", digest).key == "pu"
    open_correction.cache_clear()
    changed = content + b"\n"
    file.write_bytes(gzip.compress(changed) if name.endswith("gz") else changed)
    with pytest.raises(ChecksumError, match="it changed while the run went on"):
        open_correction(str(file), "pu", digest)
