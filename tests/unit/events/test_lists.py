"""Jagged collections as flat columns."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest

from hepflow.errors import UserFunctionError
from hepflow.events import Lists, build_events, columns_of, flat_like, numbers, packed, stacked

JETS = ak.zip({"pt": [[3.0, 1.0], [], [2.0]], "eta": [[0.3, 0.1], [], [0.2]]}, with_name="Named")


def events():
    columns = {"Jet_pt": JETS.pt, "Jet_eta": JETS.eta, "MET_pt": ak.Array([5.0, 6.0, 7.0])}
    columns["run"] = ak.Array([1, 2, 3])
    return build_events(columns, {"Jet": ("pt", "eta"), "MET": ("pt",), "event": ("run",)}, 3)


def test_a_collection_is_taken_apart_and_put_together():
    lists = Lists.of(JETS)
    assert lists.offsets.tolist() == [0, 2, 2, 3]
    assert lists.counts.tolist() == [2, 0, 1]
    assert lists.owners().tolist() == [0, 0, 2]
    assert lists.column("eta").tolist() == [0.3, 0.1, 0.2]
    assert ak.array_equal(lists.array(), JETS)
    assert lists.array().layout.content.parameter("__record__") == "Named"


def test_selected_lists_begin_with_nothing_before_them():
    lists = Lists.of(JETS[1:])
    assert lists.offsets.tolist() == [0, 0, 1]
    assert lists.column("pt").tolist() == [2.0]


def test_columns_are_replaced_and_added():
    found = Lists.of(JETS).with_columns({"pt": np.array([1.0, 2.0, 3.0]), "new": np.arange(3)})
    assert found.array().to_list() == [
        [{"pt": 1.0, "eta": 0.3, "new": 0}, {"pt": 2.0, "eta": 0.1, "new": 1}],
        [],
        [{"pt": 3.0, "eta": 0.2, "new": 2}],
    ]


def test_entries_are_moved_and_left_out():
    lists = Lists.of(JETS)
    moved = lists.permuted(np.array([1, 0]), np.array([0, 1])).array()
    assert moved.pt.to_list() == [[1.0, 3.0], [], [2.0]]
    assert moved.eta.to_list() == [[0.1, 0.3], [], [0.2]]
    kept = lists.kept(np.array([False, True, True])).array()
    assert kept.pt.to_list() == [[1.0], [], [2.0]]
    nested = Lists.of(ak.zip({"x": [[[1], [2, 3]]], "pt": [[1.0, 2.0]]}, depth_limit=2))
    turned = nested.permuted(np.array([1, 0]), np.array([0, 1])).array()
    assert turned.x.to_list() == [[[2, 3], [1]]]


def test_values_of_an_event_are_repeated_for_its_objects():
    offsets = Lists.of(JETS).offsets
    assert flat_like(np.array([1, 2, 3]), offsets, 3).tolist() == [1, 1, 3]
    assert flat_like(JETS.pt, offsets, 3).tolist() == [3.0, 1.0, 2.0]
    assert flat_like(2.0, offsets, 3) == 2.0
    assert flat_like(ak.Array([1.0, 2.0, 3.0]), None, 3).tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("values", "offsets"),
    [
        (np.array([1.0, 2.0]), [0, 2, 2, 3]),
        (ak.Array([[1.0], [2.0], []]), [0, 2, 2, 3]),
        (ak.Array([[1.0], [2.0], []]), None),
        (np.array([1.0]), None),
    ],
)
def test_values_of_another_structure_are_refused(values, offsets):
    with pytest.raises(ValueError, match=r"events|lists"):
        flat_like(values, None if offsets is None else np.array(offsets), 3)


def test_missing_values_and_lists_are_no_numbers():
    with pytest.raises(UserFunctionError, match="1 of 2 values are missing"):
        numbers(ak.Array([1.0, None]).layout)
    with pytest.raises(UserFunctionError, match="each value is a list"):
        numbers(ak.Array([[1.0]]).layout)
    assert numbers(ak.Array([None, 1.0])[1:].layout).tolist() == [1.0]
    assert numbers(ak.Array([[]]).layout.content).tolist() == []


def test_versions_stand_one_after_the_other():
    first = events()
    other = ak.with_field(first, ak.with_field(first.Jet, first.Jet.pt * 2, "pt"), "Jet")
    found = stacked([first, other, first])
    assert found.to_list() == [*first.to_list(), *other.to_list(), *first.to_list()]
    assert (found.Jet.pt > 0).ndim == 2
    assert stacked([first]) is first


def test_versions_of_selected_events_and_odd_columns():
    first = events()[np.array([True, False, True])]
    names = ak.with_field(first, ak.Array(["a", "b"]), "name")
    other = ak.with_field(names, ak.Array(["c", "d"]), "name")
    assert stacked([names, other]).to_list() == [*names.to_list(), *other.to_list()]


def test_packed_events_are_the_same():
    chosen = events()[np.array([True, False, True])]
    chosen = ak.with_field(chosen, chosen.Jet[chosen.Jet.pt > 1.5], "Jet")
    found = packed(chosen)
    assert found.to_list() == chosen.to_list()
    assert found.Jet.layout.is_list
    assert len(found.Jet.layout.content) == 2
    assert columns_of(found.layout)["Jet"] is columns_of(found.layout)["Jet"]
    assert packed(ak.Array([1, 2])).to_list() == [1, 2]
