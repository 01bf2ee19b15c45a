"""Functions that work in place: they are told, and change nothing that others read."""

from __future__ import annotations

import awkward as ak
import numpy as np
import pytest

from hepflow.analysis import Analysis
from hepflow.errors import UserFunctionError
from hepflow.events import build_events
from tests.builders import (
    itself,
    manager_of,
    observable,
    tiny_config,
    toy_columns,
    toy_inputs,
)

BRANCHES = {
    "event": ("run", "luminosityBlock", "event", "HLT_Mu50", "genWeight"),
    "MET": ("pt", "phi"),
    "Muon": ("pt", "eta", "phi", "mass", "jetIdx"),
    "Jet": ("pt", "eta", "phi", "mass"),
    "Pileup": ("nTrueInt",),
}
N = 50
METADATA = {
    "dataset": "mc__nominal", "file": "f", "entrystart": 0, "entrystop": N, "part_nevts": N,
    "part_sum_weights": 1.0, "file_nevts": N,
}  # fmt: skip


def emptied(values):
    """Set all numbers to 0, as only functions do that own what they are given."""
    flat = ak.to_numpy(ak.flatten(values, axis=None))
    flat[:] = 0
    return flat


def factor(values):
    emptied(values)
    return np.ones(len(values))


def scale(pt):
    emptied(pt)
    return pt * 0 + 1.05


def events():
    columns = {name: ak.Array(np.copy(one) if isinstance(one, np.ndarray) else one)
               for name, one in toy_columns(N).items()}  # fmt: skip
    columns["genWeight"] = ak.values_astype(columns["genWeight"], np.float64)
    return build_events(columns, BRANCHES, N)


def processed(tmp_path, given=None, ghosts=(), **sections):
    config = tiny_config(tmp_path, toy_inputs(tmp_path / "in"), **sections)
    config["ghost_observables"] += ghosts
    config["channels"][0]["observables"].append(
        observable("weight", "0,2,4", itself, [("event", "genWeight")])
    )
    given = events() if given is None else given
    return Analysis(config, {}, manager_of(config)).process_chunk(given, METADATA)


def event_source(**changes):
    return {"systematics": [{"name": "s", "type": "event", "up_function": factor, **changes}]}


def jets(section, **changes):
    entry = {"name": "s", "type": "object", "use": [("Jet", "pt")], "target": ("Jet", "pt")}
    return {section: [{**entry, **changes}]}


PLACES = {
    "generator weights": (event_source(use=[("event", "genWeight")]), r"systematics\[0\] \(s\)"),
    "pt of jets": (event_source(use=[("Jet", "pt")]), r"systematics\[0\] \(s\)"),
    "transform": (
        event_source(use=[("MET", "pt")], transform=emptied, up_function=factor),
        r"systematics\[0\] \(s\)",
    ),
    "object source": (jets("systematics", up_function=scale), r"systematics\[0\] \(s\)"),
    "correction": (
        jets("corrections", nominal_function=scale, use_correctionlib=False),
        r"corrections\[0\] \(s\)",
    ),
    "object mask": (
        {"good_object_masks": {"analysis": [
            {"object": "Muon", "function": lambda pt: emptied(pt) > 0, "use": [("Muon", "pt")]},
        ]}},
        r"good_object_masks\.analysis\[0\] \(Muon\)",
    ),
    "computed column": (
        {"ghosts": [
            {"names": ["x"], "collections": "y", "function": np.asarray, "use": [("MET", "pt")]},
            {"names": ["z"], "collections": "y", "function": factor, "use": [("y", "x")]},
        ]},
        r"ghost_observables\[2\]",
    ),
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_what_works_in_place_is_told_with_its_place(tmp_path, place):
    sections, where = PLACES[place]
    given = events()
    before = given.to_list()
    with pytest.raises(
        UserFunctionError,
        match=rf"^{where}: .* raised ValueError: .*read-only .*on a copy: np\.array",
    ):
        processed(tmp_path, given, **sections)
    assert given.to_list() == before


def test_on_a_copy_it_may_work_in_place(tmp_path):
    def doubled(weights):
        own = np.array(weights)
        own *= 2
        return own * 0 + 2.0

    found = processed(tmp_path, **event_source(up_function=doubled, use=[("event", "genWeight")]))
    plain = processed(tmp_path)
    for key, block in plain.blocks.items():
        assert np.array_equal(found.blocks[key].template().sumw, block.template().sumw)
    block = found.blocks["SR", "weight", "mc__nominal"]
    assert block.template("s_up").sumw.tolist() == (2 * block.template().sumw).tolist()


def test_a_function_may_keep_the_array_that_it_returned(tmp_path):
    buffers = {}

    def sums(pt):
        buffer = buffers.setdefault(len(pt), np.zeros(len(pt)))
        buffer[:] = ak.sum(pt, axis=1)
        return buffer

    ghosts = [{"names": ["sum"], "collections": "own", "function": sums, "use": [("Jet", "pt")]},
              {"names": ["same"], "collections": "own", "function": itself,
               "use": [("own", "sum")]}]  # fmt: skip
    for _ in range(2):
        processed(tmp_path, ghosts=ghosts)
    assert any(one.any() for one in buffers.values())
