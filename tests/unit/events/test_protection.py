"""What configured functions are given can be read only, and is not copied for that."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest

from hepflow.events.protection import own_copy, protected
from hepflow.functors import column

PT = np.array([50.0, 20.0, 30.0], dtype=np.float32)
WEIGHTS = np.array([1.0, -1.0])


def events():
    jets = ak.zip({"pt": ak.unflatten(PT.copy(), [2, 1]), "eta": ak.Array([[0.1, 0.2], [0.3]])})
    met = ak.zip({"pt": WEIGHTS * 10.0})
    return ak.zip({"Jet": jets, "MET": met, "genWeight": WEIGHTS.copy()}, depth_limit=1)


@pytest.mark.parametrize(
    ("place", "numbers"),
    [
        (("Jet", "pt"), lambda pt: ak.to_numpy(ak.flatten(pt))),
        (("Jet", "pt"), lambda pt: pt.layout.content.data),
        (("Jet", None), lambda jets: ak.to_numpy(ak.flatten(jets.pt))),
        (("event", "genWeight"), np.asarray),
        (("MET", None), lambda met: np.asarray(met.pt)),
        (("event", None), lambda all_of: np.asarray(all_of.genWeight)),
        (("event", None), lambda all_of: ak.to_numpy(ak.flatten(all_of.Jet.eta))),
    ],
    ids=["lists", "layout", "objects", "weights", "record", "events", "objects of events"],
)
def test_numbers_that_others_read_cannot_be_changed(place, numbers):
    given = events()
    found = numbers(column(given, *place, "here"))
    before = given.to_list()
    with pytest.raises(ValueError, match="read-only"):
        found *= 2
    with pytest.raises(ValueError, match="read-only"):
        found.sort()
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 1
    assert given.to_list() == before


def test_nothing_is_copied():
    given = events()
    found = np.asarray(column(given, "event", "genWeight", "here"))
    assert np.shares_memory(found, given.layout["genWeight"].data)


def test_a_column_that_is_put_in_later_is_protected_too():
    given = events()
    column(given, "Jet", None, "here")
    more = ak.with_field(given.Jet, ak.unflatten(PT.copy(), [2, 1]), "raw")
    changed = ak.with_field(given, more, "Jet")
    raw = column(changed, "Jet", None, "here").raw
    assert not raw.layout.content.data.flags.writeable


@pytest.mark.parametrize(
    "array",
    [
        ak.mask(ak.Array([1.0, 2.0]), np.array([True, False])),
        ak.Array([[1.0, None], []]),
        ak.Array([1.0, "a", [2.0]]),
        ak.Array([1.0, 2.0, 3.0])[[2, 0]],
    ],
    ids=["option", "option in lists", "union", "indexed"],
)
def test_all_kinds_of_arrays_are_protected(array):
    buffers = {k: v for k, v in ak.to_buffers(protected(array))[2].items() if k.endswith("-data")}
    assert buffers
    assert not any(one.flags.writeable for one in buffers.values())


def test_what_is_no_array_stays_as_it_is():
    assert protected(1.5) == 1.5
    assert own_copy("nominal") == "nominal"


def test_a_copy_of_its_own_can_be_changed():
    given = protected(events())
    copied = own_copy(column(given, "event", "genWeight", "here"))
    numbers = np.asarray(copied)
    numbers *= 2
    assert copied.tolist() == [2.0, -2.0]
    assert given.genWeight.tolist() == [1.0, -1.0]
