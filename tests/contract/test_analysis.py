"""The analysis classes as users call and subclass them."""

from __future__ import annotations

import inspect

import pytest

from analysis.nondiff import NonDiffAnalysis
from hepflow.analysis import Analysis
from tests.builders import jet_scale, make_skims, manager_of, tiny_config, toy_inputs

STEPS = (
    "correct_objects",
    "mask_objects",
    "select_baseline",
    "certified_events",
    "add_ghost_observables",
    "select_channel",
    "observable",
    "event_weights",
)


@pytest.fixture
def config(tmp_path):
    return tiny_config(tmp_path, toy_inputs(tmp_path / "in"), corrections=[jet_scale()])


@pytest.mark.parametrize("kind", [Analysis, NonDiffAnalysis])
def test_arguments_and_attributes(config, kind):
    names = list(inspect.signature(kind).parameters)
    assert names == ["config", "processed_datasets", "output_manager"]
    skims, manager = make_skims(config), manager_of(config)
    made = kind(config, skims, manager)
    assert made.processed_datasets is skims
    assert made.output_manager is manager
    assert issubclass(kind, Analysis)


@pytest.mark.parametrize("step", STEPS)
def test_the_steps_that_may_be_overridden_document_their_arguments(step):
    assert inspect.getdoc(getattr(Analysis, step))


def test_processing_pair_by_pair_fills_the_histograms(config):
    skims = make_skims(config)
    made = NonDiffAnalysis(config, skims, manager_of(config))
    for skim in skims.values():
        for events, metadata in skim:
            made.process(events, metadata)
    histogram = made.histograms["SR"]["muon_pt"]
    assert histogram.axes.name == ("observable", "process", "variation")
    assert list(histogram.axes["process"]) == ["mc", "data"]
    assert list(histogram.axes["variation"]) == ["nominal", "jes_total_up", "jes_total_down"]
    assert set(made.histograms) == {"SR", "CR"}
    assert set(made.histograms["SR"]) == {"muon_pt", "jet_pts", "ht"}
    counted = made.histogram_set.template("SR", "muon_pt", "data").sumw.sum()
    in_view = histogram[:, "data", "nominal"].view(flow=True)["value"].sum()
    assert in_view == counted > 0


def test_the_chain_gives_the_same_as_pair_by_pair(config):
    skims = make_skims(config)
    chain = NonDiffAnalysis(config, skims, manager_of(config))
    chain.run_analysis_chain()
    single = NonDiffAnalysis(config, skims, manager_of(config))
    for skim in skims.values():
        for pair in skim:
            single.process(*pair)
    for channel, observables in single.histograms.items():
        for name, histogram in observables.items():
            assert histogram == chain.histograms[channel][name]


class OnlyHardMuons(Analysis):
    """A subclass in another folder."""

    def select_channel(self, events, channel):
        passed = super().select_channel(events, channel)
        hard = [max(pts, default=0.0) > 60.0 for pts in events.Muon.pt.tolist()]
        return type(passed)(passed.mask & hard, passed.steps)


def test_a_step_that_is_overridden_is_the_one_that_runs(config):
    skims = make_skims(config)
    all_of_them = Analysis(config, skims, manager_of(config)).fill_histograms()
    hard = OnlyHardMuons(config, skims, manager_of(config)).fill_histograms()
    before = all_of_them.template("SR", "muon_pt", "data").sumw
    after = hard.template("SR", "muon_pt", "data").sumw
    assert after[:4].sum() == 0.0  # bins of 20 GeV
    assert after[4:].tolist() == before[4:].tolist()
    assert before[:4].sum() > 0
