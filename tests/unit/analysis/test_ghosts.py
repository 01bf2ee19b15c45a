"""Computed columns: put to the objects that they fit, and told where they do not."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest

from hepflow.analysis.steps import add_ghosts, apply_object_masks
from hepflow.errors import MissingBranch, UserFunctionError
from hepflow.events import build_events
from hepflow.schema import GhostObservable, GoodObjectMask

PTS = [[50.0, 40.0], [], [30.0]]
BRANCHES = {
    "event": ("HLT_Mu50",), "MET": ("pt", "phi"), "Jet": ("pt", "eta", "phi", "mass"),
    "Muon": ("pt",),
}  # fmt: skip


def events():
    """Three events with vectors for jets and missing momentum."""
    jets = {f"Jet_{name}": ak.Array(PTS) for name in BRANCHES["Jet"]}
    met = {f"MET_{name}": ak.Array([1.0, 2.0, 3.0]) for name in BRANCHES["MET"]}
    others = {"HLT_Mu50": ak.Array([True, False, True]), "Muon_pt": ak.Array([[1.0], [], []])}
    return build_events({**jets, **met, **others}, BRANCHES, 3)


def computed(value, collection="new", name="score"):
    ghost = GhostObservable(
        names=name, collections=collection, function=lambda _: value, use=["MET"]
    )
    return add_ghosts(events(), ghost, "ghost_observables[2]")


@pytest.mark.parametrize(
    ("value", "collection", "expected"),
    [
        (np.arange(3.0), "new", [0.0, 1.0, 2.0]),
        ((np.arange(3.0),), "event", [0.0, 1.0, 2.0]),
        (([1, 2, 3],), "MET", [1, 2, 3]),
        (np.arange(3), "Jet", [[0, 0], [], [2]]),
        (ak.Array(PTS), "Jet", PTS),
    ],
    ids=range(5),
)
def test_columns_of_events_and_of_objects(value, collection, expected):
    found = computed(value, collection)
    column = found.score if collection == "event" else found[collection].score
    assert column.tolist() == expected


@pytest.mark.parametrize(
    ("value", "place", "message"),
    [
        (3.0, {}, r"returned 3\.0, expected an array with one entry for each event as 'score'\."),
        (None, {}, "returned None, expected an array"),
        ((3.0,), {}, r"returned 3\.0, expected an array"),
        ({"score": [1, 2, 3]}, {}, "returned a value of type dict, expected an array"),
        ([1.0, 2.0, 3.0], {}, r"returned 3 columns for 1 names .*each column is an array\."),
        (np.ones(2), {}, "'score' has 2 entries for 3 events"),
        (ak.Array([[1.0], [], []]), {"collection": "Jet"},
         r"'score' cannot be a column of 'Jet' \(cannot .*\)\. Expected .* for each Jet of each"),
        (np.ones(3), {"collection": "HLT_Mu50"}, "'HLT_Mu50' is no object, so that 'score'"),
        *((np.ones(3), {"collection": "Jet", "name": name},
           f"'{name}' cannot be a column of 'Jet' .*Jet is a vector and has such a coordinate")
          for name in ("x", "E", "energy", "t", "rho")),
        (np.ones(3), {"collection": "MET", "name": "x"}, "'x' cannot .*MET is a vector"),
    ],
    ids=range(14),
)  # fmt: skip
def test_what_is_no_column_is_told(value, place, message):
    with pytest.raises(UserFunctionError, match=rf"^ghost_observables\[2\]: {message}"):
        computed(value, **place)


def test_a_mask_of_objects_that_are_not_there():
    masks = [GoodObjectMask(object="Jett", function=lambda pt: pt > 0, use=["Muon.pt"])]
    with pytest.raises(MissingBranch, match=r"\(Jett\)\.object: 'Jett' is not an object.*'Jet'\?"):
        apply_object_masks(events(), masks)
