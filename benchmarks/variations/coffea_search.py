"""The same search as a coffea processor, written as coffea's documentation advises.

Virtual arrays, so that only what is touched is read; cuts that no source changes first; a loop
over the varied collections; `Weights` for the weight sources; one histogram with a category axis.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import awkward as ak
import hist
import numpy as np
from coffea.analysis_tools import PackedSelection, Weights
from coffea.nanoevents import NanoAODSchema
from coffea.processor import IterativeExecutor, ProcessorABC, Runner

from benchmarks.variations import physics
from benchmarks.variations.physics import HT_BINS, HT_HIGH, HT_LOW, JET_SOURCES, WEIGHT_SOURCES
from benchmarks.variations.records import Found

_DIRECTIONS = (("up", "Up"), ("down", "Down"))


class Search(ProcessorABC):  # type: ignore[misc]  # coffea has no types
    """One muon, four jets, a b-tag; the scalar sum of the jets."""

    def __init__(self, *, variations: bool) -> None:
        self.variations = variations

    def process(self, events: Any) -> dict[str, Any]:
        """Fill the histogram of a chunk."""
        sum_weights = float(ak.sum(ak.values_astype(events.genWeight, "float64")))
        events, jets = self._unvaried(events)
        output = hist.Hist(
            hist.axis.StrCategory([], name="variation", growth=True),
            hist.axis.Regular(HT_BINS, HT_LOW, HT_HIGH, name="ht"),
            storage=hist.storage.Weight(),
        )
        self._fill(output, events, jets, None)
        if self.variations:
            for source in JET_SOURCES:
                for name in ("up", "down"):
                    factor = getattr(source, name)(jets.pt, jets.eta)
                    varied = ak.with_field(jets, jets.pt * factor, "pt")
                    self._fill(output, events, varied, f"{source.name}_{name}")
        return {"ht": output, "sum_weights": sum_weights}

    def _unvaried(self, events: Any) -> tuple[Any, Any]:
        """Events and jets after all cuts that no source changes."""
        events = events[events.HLT.IsoMu24 & (events.MET.pt > physics.MET_PT)]
        muons = events.Muon
        inside = (muons.pt > physics.MUON_PT) & (abs(muons.eta) < physics.ETA)
        muons = muons[inside & muons.tightId & (muons.pfRelIso04_all < physics.ISOLATION)]
        one = ak.num(muons) == 1
        events = events[one]
        events["muon"] = muons[one][:, 0]
        jets = events.Jet
        quality = (jets.jetId >= physics.TIGHT_JET) & (jets.muEF < physics.MUON_FRACTION)
        jets = jets[(abs(jets.eta) < physics.ETA) & quality]
        return events, jets

    def _fill(self, output: Any, events: Any, jets: Any, shift: str | None) -> None:
        jets = jets[jets.pt > physics.JET_PT]
        selection = PackedSelection()
        selection.add("four_jets", ak.num(jets) >= physics.JETS)
        selection.add("b_tag", ak.any(jets.btagDeepFlavB > physics.B_TAG, axis=1))
        passed = selection.all("four_jets", "b_tag")
        jets, events = jets[passed], events[passed]
        weights = Weights(len(events))
        weights.add("generator", ak.to_numpy(ak.values_astype(events.genWeight, "float64")))
        weights.add("pileup", physics.pileup(events.Pileup.nTrueInt))
        weights.add("muon", physics.muon(events.muon.pt, events.muon.eta))
        names: tuple[str | None, ...] = (None,)
        if self.variations and shift is None:
            self._add_sources(weights, events, jets)
            names = (None, *sorted(weights.variations))
        ht = ak.sum(ak.values_astype(jets.pt, "float64"), axis=1)
        for name in names:
            output.fill(variation=shift or _plain(name), ht=ht, weight=weights.weight(name))

    def _add_sources(self, weights: Weights, events: Any, jets: Any) -> None:
        columns = {
            physics.PILEUP: events.Pileup.nTrueInt,
            physics.MUON_PTS: events.muon.pt[:, np.newaxis],
            physics.MUON_ETAS: events.muon.eta[:, np.newaxis],
            physics.JET_PTS: jets.pt,
        }
        ones = np.ones(len(events))
        for source in WEIGHT_SOURCES:
            x = columns[source.use]
            weights.add(source.name, ones, source.up(x), source.down(x))

    def postprocess(self, accumulator: Any) -> Any:
        """Nothing is left to do."""
        return accumulator


def _plain(modifier: str | None) -> str:
    """Name of a variation as all peers call it: pileup0Up is pileup0_up."""
    if modifier is None:
        return "nominal"
    for plain, named in _DIRECTIONS:
        if modifier.endswith(named):
            return f"{modifier.removesuffix(named)}_{plain}"
    raise ValueError(modifier)


def run(path: Path, *, variations: bool, chunk: int) -> Found:
    """Run the processor on a file in chunks of so many events, in this process."""
    runner = Runner(
        IterativeExecutor(status=False),
        schema=NanoAODSchema,
        chunksize=chunk,
        metadata_cache={},
    )
    fileset = {"ttbar": {"files": {str(path): "Events"}}}
    output = runner(fileset, processor_instance=Search(variations=variations))
    filled = output["ht"]
    rows = {name: filled[{"variation": name}].view(flow=True) for name in filled.axes[0]}
    return Found(
        {name: (row.value.copy(), row.variance.copy()) for name, row in rows.items()},
        output["sum_weights"],
    )
