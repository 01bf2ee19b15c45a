"""Calling configured functions: columns in order, masks of the right length, clear errors."""

from __future__ import annotations

import functools
from types import SimpleNamespace

import awkward as ak
import numba
import numpy as np
import pytest
from coffea.analysis_tools import PackedSelection

from hepflow.errors import MaskError, MissingBranch, UserFunctionError
from hepflow.functors import as_mask, as_passed, call, column, columns, describe, select

EVENTS = ak.zip(
    {
        "run": ak.Array([1, 1, 2]),
        "MET": ak.zip({"pt": [10.0, 20.0, 30.0], "phi": [0.0, 1.0, 2.0]}),
        "Jet": ak.Array([[{"pt": 1.0}], [], [{"pt": 2.0}, {"pt": 3.0}]]),
    },
    depth_limit=1,
)


def test_columns_come_in_the_order_of_use():
    seen = []

    def function(*arguments, factor):
        seen.extend(arguments)
        return factor

    use = [("MET", "phi"), ("Jet", None), ("event", "run"), ("event", None)]
    assert call(function, use, EVENTS, "here", {"factor": 3}) == 3
    assert seen[0].tolist() == [0.0, 1.0, 2.0]
    assert seen[1].pt.tolist() == [[1.0], [], [2.0, 3.0]]
    assert seen[2].tolist() == [1, 1, 2]
    assert seen[3].fields == EVENTS.fields


@pytest.mark.parametrize(
    ("use", "parts"),
    [
        (("Jets", "pt"), ("channels[0]", "'Jets' is not an object", "Did you mean 'Jet'?")),
        (("Jet", "ptt"), ("channels[0]", "'ptt' is not a column of 'Jet'", "Did you mean 'pt'?")),
        (("event", "runn"), ("'runn' is not a column of 'event'", "Did you mean 'run'?")),
    ],
)
def test_a_missing_column_says_where_and_what_to_add(use, parts):
    with pytest.raises(MissingBranch) as caught:
        columns(EVENTS, [use], "channels[0]")
    for part in (*parts, "preprocess.branches"):
        assert part in str(caught.value)


def test_an_error_of_the_function_keeps_its_cause_and_says_where():
    def broken(_):
        raise ZeroDivisionError("by zero\nsecond line")

    with pytest.raises(
        UserFunctionError,
        match=r"^channels\[1\]\.selection: .*broken raised "
        r"ZeroDivisionError: by zero \(line \d+ of .*test_functors\.py\)$",
    ) as caught:
        call(broken, [("Jet", "pt")], EVENTS, "channels[1].selection")
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_function_that_works_in_place_is_told_to_take_a_copy():
    def doubled(pt):
        x = np.asarray(pt)
        x *= 2
        return x

    given = ak.zip({"MET": ak.zip({"pt": [10.0, 20.0]})}, depth_limit=1)
    with pytest.raises(
        UserFunctionError,
        match=r"^here: .*doubled raised ValueError: output array is read-only \(line .*\)\. What a "
        r".* Work on a copy: np\.array\(x\)\.$",
    ):
        call(doubled, [("MET", "pt")], given, "here")
    assert given.MET.pt.tolist() == [10.0, 20.0]


def compiled():
    @numba.njit("float64[:](float64[:])")
    def declared(pt):
        return pt * 1.5

    @numba.njit
    def inside(pt):
        return declared(pt)

    @numba.njit
    def inferred(pt):
        return pt * 1.5

    @numba.vectorize(["float64(float64)"])
    def element_wise(pt):
        return pt * 1.5

    return {
        "declared": declared,
        "inside": inside,
        "inferred": inferred,
        "element_wise": element_wise,
    }


@pytest.mark.parametrize("kind", ["declared", "inside", "inferred", "element_wise"])
def test_compiled_functions_take_columns_whatever_types_they_declare(kind):
    function = compiled()[kind]
    found = call(lambda pt: function(np.asarray(pt)), [("MET", "pt")], EVENTS, "here")
    assert found.tolist() == [15.0, 30.0, 45.0]


def test_a_compiled_function_that_works_in_place_is_told_to_take_a_copy():
    @numba.njit
    def emptied(pt):
        for i in range(len(pt)):
            pt[i] = 0.0
        return pt

    with pytest.raises(UserFunctionError, match=r"raised TypingError: .* Work on a copy"):
        call(lambda pt: emptied(np.asarray(pt)), [("MET", "pt")], EVENTS, "here")
    assert EVENTS.MET.pt.tolist() == [10.0, 20.0, 30.0]


def test_a_buffer_that_must_be_writable_is_a_copy():
    def by_cython(pt, factor):
        if not np.asarray(pt).flags.writeable:
            raise ValueError("buffer source array is read-only")
        return np.asarray(pt) * factor

    found = call(by_cython, [("MET", "pt")], EVENTS, "here", {"factor": 2.0})
    assert found.tolist() == [20.0, 40.0, 60.0]


def test_functions_are_described_by_module_and_name():
    assert describe(np.mean) == "numpy.mean"
    assert "partial" in describe(functools.partial(max, 1))


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (np.array([True, False]), "mask of 2 entries for 3 events"),
        (ak.Array([True] * 4), "mask of 4 entries for 3 events"),
        (ak.Array([[True], [], [False, True]]), "nested mask"),
        (np.ones((3, 2), bool), "nested mask"),
        (ak.Array([True, None, False]), "missing values"),
        (np.array([1, 0, 1]), "type int64, expected bool"),
        (np.array([1.0, 0.0, 1.0]), "type float64, expected bool"),
        (True, "expected one value for each event"),
        (np.True_, "expected one value for each event"),
        (None, "returned None, expected one value for each event"),
        ({"a": True}, "returned a value of type dict, expected one boolean for each event"),
        (["a", "b", "c"], "returned a list, which is an array of 3 texts"),
        (ak.Array([{"a": True}] * 3), "returned an array of 3 records with a"),
        (1.0, "expected one value for each event"),
    ],
)
def test_a_mask_that_does_not_fit_the_events_is_an_error(result, message):
    with pytest.raises(MaskError, match=message):
        as_mask(result, 3, "baseline_selection")


def test_a_packed_selection_is_no_mask():
    selection = PackedSelection()
    selection.add("a", np.array([True, True, False]))
    with pytest.raises(MaskError, match=r"PackedSelection, .*return one of its masks.*all\(name\)"):
        as_mask(selection, 3, "cuts[0]")


@pytest.mark.parametrize("given", [[True, False, True], np.array([True, False, True])])
def test_a_fitting_mask_is_taken_from_any_container(given):
    mask = as_mask(given, 3, "here")
    assert (mask.dtype, mask.tolist()) == (np.bool_, [True, False, True])


def test_no_event_needs_no_type():
    assert as_mask(np.array([]), 0, "here").dtype == np.bool_
    assert as_mask(ak.Array([]), 0, "here").tolist() == []


def test_the_last_name_of_a_selection_is_the_mask_and_the_steps_add_up():
    selection = PackedSelection()
    selection.add("a", np.array([True, True, False, True]))
    selection.add("b", np.array([True, False, True, True]))
    selection.add("channel", np.array([False, False, False, True]))
    passed = as_passed(selection, 4, "here")
    assert passed.mask.tolist() == [False, False, False, True]
    assert [name for name, _ in passed.steps] == ["a", "b", "channel"]
    assert [mask.tolist() for _, mask in passed.steps] == [
        [True, True, False, True],
        [True, False, False, True],
        [False, False, False, True],
    ]


def test_a_selection_of_another_length_or_without_names_is_an_error():
    selection = PackedSelection()
    with pytest.raises(MaskError, match="no requirement"):
        as_passed(selection, 3, "here")
    selection.add("a", np.array([True, False]))
    with pytest.raises(MaskError, match="mask of 2 entries for 3 events"):
        as_passed(selection, 3, "here")


def test_named_cuts_are_all_required_and_counted_one_after_the_other():
    def above(threshold):
        return lambda pt: pt > threshold

    cuts = [
        SimpleNamespace(name="low", function=above(15.0), use=[("MET", "pt")]),
        SimpleNamespace(name="run", function=lambda run: run == 1, use=[("event", "run")]),
    ]
    selection = SimpleNamespace(function=None, use=[], cuts=cuts)
    passed = select(selection, EVENTS, "channels[0].selection")
    assert passed.mask.tolist() == [False, True, False]
    assert [(n, m.tolist()) for n, m in passed.steps] == [
        ("low", [False, True, True]),
        ("run", [False, True, False]),
    ]


def test_a_bad_cut_is_named_by_its_place():
    cuts = [SimpleNamespace(name="x", function=lambda _: np.array([True]), use=[("MET", "pt")])]
    selection = SimpleNamespace(function=None, use=[], cuts=cuts)
    with pytest.raises(MaskError, match=r"channels\[0\]\.selection\.cuts\[0\]: "):
        select(selection, EVENTS, "channels[0].selection")


def test_a_column_is_the_object_or_its_field():
    assert column(EVENTS, "MET", "pt", "x").tolist() == [10.0, 20.0, 30.0]
    assert column(EVENTS, "MET", None, "x").fields == ["pt", "phi"]
