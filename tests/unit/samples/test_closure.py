"""With all corrections the simulation describes the data; without them it does not."""

import numpy as np
import pytest

from hepflow.samples import ensure_sample
from tests.unit.samples import reference_selection as reference

CORRECTIONS = ("pileup", "muon_id", "muon_iso", "muon_trigger", "btag", "toptag")


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    return ensure_sample(tmp_path_factory.mktemp("closure"), 100_000, seed=1)


@pytest.fixture(scope="module")
def corrected(layout):
    return reference.process_sample(layout)


def total(results, region, skip=()):
    """Return data, prediction and the variance of the prediction in the bins of a region."""
    prediction, variance = np.zeros(20), np.zeros(20)
    for name, (result, scale) in results.items():
        if name not in {"data", "signal"}:
            first, second = result.histogram(region, scale, skip)
            prediction, variance = prediction + first, variance + second
    return results["data"][0].histogram(region)[0], prediction, variance


def excess(results, region, skip=()):
    """Return (data - prediction) of the whole region in standard deviations."""
    data, prediction, variance = (x.sum() for x in total(results, region, skip))
    return (data - prediction) / np.sqrt(prediction + variance)


@pytest.mark.parametrize("region", reference.REGIONS)
def test_the_corrected_simulation_describes_the_data(corrected, region):
    data, prediction, variance = total(corrected, region)
    bins = prediction > 5
    chi2 = ((data - prediction)[bins] ** 2 / (prediction + variance)[bins]).sum()
    assert bins.sum() >= 8
    assert chi2 < bins.sum() + 3 * np.sqrt(2 * bins.sum())
    assert abs(excess(corrected, region)) < 3


def test_the_uncorrected_simulation_does_not(layout):
    raw = reference.process_sample(layout, correct_energy=False)
    assert excess(raw, "signal_region", skip=CORRECTIONS) < -5


def test_uncertified_blocks_would_be_seen(layout, corrected):
    every = reference.process_sample(layout, golden=False)
    assert len(every["data"][0].mass) > 1.1 * len(corrected["data"][0].mass)


def test_regions_hold_what_they_are_meant_to_hold(corrected):
    def yields(region):
        return {
            name: result.histogram(region, scale)[0].sum()
            for name, (result, scale) in corrected.items()
        }

    signal, control = yields("signal_region"), yields("control_region")
    backgrounds = ("ttbar_semilep", "ttbar_had", "ttbar_lep", "wjets")
    assert signal["ttbar_semilep"] > 0.8 * sum(signal[name] for name in backgrounds)
    assert control["wjets"] > 0.5 * sum(control[name] for name in backgrounds)
    assert all(signal[name] > 0 for name in backgrounds)


def test_the_simulation_outnumbers_the_data_in_the_signal_region(corrected):
    data = (corrected["data"][0].region == 0).sum()
    simulated = (corrected["ttbar_semilep"][0].region == 0).sum()
    assert simulated > 4 * data


def test_the_resonance_is_seen_near_its_mass(corrected):
    result, _ = corrected["signal"]
    mass = result.mass[(result.region == 0) & np.isfinite(result.mass)]
    low, middle, high = np.percentile(mass, [16, 50, 84])
    assert 1750 < middle < 2100
    assert (high - low) / 2 < 0.12 * middle
