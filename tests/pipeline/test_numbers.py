"""The built-in analysis and an independent calculation in plain numpy give the same numbers."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.nondiff import NonDiffAnalysis
from tests.pipeline import reference, reference_fill

SIMULATED = ("signal", "ttbar_semilep", "ttbar_had", "ttbar_lep", "wjets")
TOP_PAIRS = ("ttbar_semilep", "ttbar_had", "ttbar_lep")


@pytest.fixture(scope="module")
def expected(small_sample):
    filled = reference_fill.fill_sample(small_sample)
    for name in set(SIMULATED) - set(TOP_PAIRS):  # has no such source: its nominal is taken
        filled[name] = reference_fill.without_slope(filled[name])
    return filled


@pytest.fixture(scope="module")
def scales(small_sample, expected):
    """Cross-section times luminosity over sum of weights of each dataset; 1 for data."""
    return {
        name: info.cross_section * small_sample.luminosity / expected[name].sum_weights
        if info.cross_section
        else 1.0
        for name, info in small_sample.datasets.items()
    }


def differences(histograms, expected, scale, process):
    """Largest difference of each template of a process, relative to its sum of abs(w)."""
    found = {}
    for (channel, observable, variation), (w, w2, size, _) in expected.sums.items():
        mine = histograms.template(channel, observable, process, variation)
        where = (channel, observable, variation)
        found[*where, "w"] = distance(mine.sumw, scale * w, scale * size.sum())
        found[*where, "w2"] = distance(mine.sumw2, scale**2 * w2, scale**2 * w2.sum())
    return found


def distance(mine, theirs, total):
    worst = float(np.abs(mine - theirs).max())
    return worst / total if total else worst


def test_there_are_all_channels_observables_and_variations(small_run):
    histograms = small_run.analysis.histogram_set
    assert histograms.channels == reference.CHANNELS
    for channel in reference.CHANNELS:
        assert set(histograms.observables(channel)) == set(reference.BINS)
        for observable in reference.BINS:
            found = histograms.variations(channel, observable)
            assert found[0] == "nominal"
            assert set(found) == set(reference.VARIATIONS)
            assert len(found) == len(reference.VARIATIONS) == 23


@pytest.mark.parametrize("process", SIMULATED)
def test_templates_of_simulation(small_run, expected, scales, process):
    histograms = small_run.analysis.histogram_set
    found = differences(histograms, expected[process], scales[process], process)
    assert len(found) == 2 * 12 * 23 * 2
    worst = max(found, key=lambda key: found[key])
    assert found[worst] < 1e-9, f"{worst}: {found[worst]:.3g}"


def test_data_are_counted_exactly(small_run, expected):
    histograms = small_run.analysis.histogram_set
    for (channel, observable, _), (_, _, _, counts) in expected["data"].sums.items():
        template = histograms.template(channel, observable, "data")
        assert template.sumw.tolist() == template.sumw2.tolist() == counts.tolist()
    blocks = [block for key, block in histograms.blocks.items() if key[2] == "data"]
    assert {block.variations for block in blocks} == {("nominal",)}
    assert sum(expected["data"].sums["CR", "n_jet", "nominal"][3]) > 50


def test_yields_are_right_up_to_the_flow(small_run, expected, scales):
    histograms = small_run.analysis.histogram_set
    for process in SIMULATED:
        for channel in reference.CHANNELS:
            weights = expected[process].weights[channel]
            for variation, each in weights.items():
                yields = histograms.template(channel, "n_jet", process, variation).sumw.sum()
                size = scales[process] * np.abs(each).sum()
                assert abs(yields - scales[process] * each.sum()) <= 1e-9 * size


@pytest.mark.parametrize("dataset", [*SIMULATED, "data"])
def test_cutflows_count_exactly(small_run, expected, dataset):
    key = dataset if dataset == "data" else f"{dataset}__nominal"
    for channel, flow in expected[dataset].cutflow.items():
        mine = small_run.analysis.raw.cutflows[channel, key]
        counts = dict(zip(mine.names, mine.counts.tolist(), strict=True))
        assert {cut: counts.get(cut) for cut in flow} == flow
        assert counts["corrected"] == list(flow.values())[-1]


@pytest.mark.parametrize("dataset", ["data", *SIMULATED])
def test_the_ledger_holds_all_events_and_weights(small_run, expected, dataset):
    key = dataset if dataset == "data" else f"{dataset}__nominal"
    totals = small_run.analysis.raw.ledger.totals(key)
    assert totals.nevts == expected[dataset].events
    assert totals.sum_weights == pytest.approx(expected[dataset].sum_weights, rel=1e-12)


class Recorder(NonDiffAnalysis):
    """Keeps the weights of each event."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.seen: list[dict[str, np.ndarray]] = []

    def event_weights(self, events, dataset, variations):
        weights = super().event_weights(events, dataset, variations)
        if variations:  # nominal objects; the others have no weight variations
            self.seen.append(weights)
        return weights


def test_weights_of_each_event(small_run, expected):
    run = small_run.analysis
    recorder = Recorder(run.config, run.processed_datasets, run.output_manager)
    for events, metadata in run.processed_datasets["ttbar_semilep__nominal"]:
        recorder.process(events, metadata)
    of_channels = {"SR": recorder.seen[0::2], "CR": recorder.seen[1::2]}
    for channel, parts in of_channels.items():
        for name, weights in expected["ttbar_semilep"].weights[channel].items():
            mine = np.concatenate([one[name] for one in parts])
            np.testing.assert_allclose(mine, weights, rtol=1e-12)
        assert len(weights) >= 50
    assert (expected["ttbar_semilep"].weights["SR"]["nominal"] < 0).any()


def test_every_variation_moves_something(expected):
    """The comparison would mean little if all variations were the same."""
    sums = expected["ttbar_semilep"].sums
    for variation in set(reference.VARIATIONS) - {"nominal"}:
        pairs = [
            (sums[channel, name, variation][0], sums[channel, name, "nominal"][0])
            for channel in reference.CHANNELS
            for name in reference.BINS
        ]
        assert any(not np.array_equal(*pair) for pair in pairs), variation
