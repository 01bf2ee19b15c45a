"""What was put into the built-in sample comes out of the fit.

Pseudo-datasets are drawn from the model at the truth: Poisson counts in the bins, and with them
the auxiliary measurements that constrain the nuisance parameters. In data the signal strength is
0, at its physical bound, where a pull has one side only; for pulls the bound is moved away.
"""

from __future__ import annotations

import copy

import numpy as np
import pytest

from hepflow.output_manager import default_cache_dir
from hepflow.samples import ensure_sample, truth
from hepflow.statistics import Likelihood, StatisticsSpec, fit, load_model, prepare_workspace
from tests.pipeline import built_in

# pyhf uses what jsonschema will replace
pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")
EVENTS = 48_000  # enough to see a missing correction
BINNING = "760,3000,8"  # wide enough that so few simulated events are in every bin
NORM_FACTORS = ("zprime_norm", "ttbar_norm", "wjets_norm")
TRUTH = {"zprime_norm": truth.MU_TRUE, "ttbar_norm": 1.0, "wjets_norm": 1.0}


def fitted_only(config, binning=BINNING):
    """Fill what is fitted and nothing else, where asked in other bins."""
    for channel in config["channels"]:
        name = channel["fit_observable"]
        (fitted,) = [one for one in channel["observables"] if one["name"] == name]
        channel["observables"] = [{**fitted, "binning": binning or fitted["binning"]}]
    return config


def workspace_of(run):
    """HistFactory workspace of filled histograms."""
    spec = StatisticsSpec.from_config(run.config)
    return prepare_workspace(spec, run.analysis.histogram_set, run.analysis.output_manager)


def filled(events, folder, binning=BINNING):
    """The analysis on a sample of this size, filled once for all processes of the suite."""
    own = folder / str(events)
    with built_in.locked(own):
        sample = ensure_sample(default_cache_dir() / "samples", events)
        return built_in.fill(fitted_only(built_in.configuration(sample, own), binning))


@pytest.fixture(scope="module")
def corrected(built_in_folder):
    return filled(EVENTS, built_in_folder)


@pytest.fixture(scope="module")
def workspace(corrected):
    return workspace_of(corrected)


def likelihood_of(workspace, lowest=None):
    """Likelihood of a workspace, where asked with another lower bound of the signal strength."""
    changed = copy.deepcopy(workspace)
    for parameter in changed["measurements"][0]["config"]["parameters"]:
        if parameter["name"] == "zprime_norm" and lowest is not None:
            parameter["bounds"][0][0] = lowest
    model, _ = load_model(changed)
    return Likelihood(model)


def truth_of(likelihood):
    """All parameters at the values the sample was made with."""
    parameters = likelihood.nominal()
    for name, value in TRUTH.items():
        parameters[likelihood.labels.index(name)] = value
    return parameters


def assert_closes(likelihood):
    expected = truth_of(likelihood)
    result = fit(likelihood, likelihood.expected_data(expected))
    assert result.converged, result.notes
    assert len(result.labels) > 30
    np.testing.assert_allclose(result.bestfit, expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("lowest", [None, -5.0])
def test_a_fit_to_asimov_data_gives_every_parameter(workspace, lowest):
    assert_closes(likelihood_of(workspace, lowest))


def test_asimov_data_are_the_sum_of_the_background_templates(corrected, workspace):
    """The truth in the model is what the histograms hold: nothing is lost on the way."""
    likelihood = likelihood_of(workspace)
    n_bins = likelihood.yields.n_bins
    histograms = corrected.analysis.histogram_set
    backgrounds = ("ttbar_semilep", "ttbar_had", "ttbar_lep", "wjets")
    channels = likelihood.model.config.channels
    total = [histograms.total(one, "zprime_mass", backgrounds).values for one in channels]
    asimov = likelihood.expected_data(truth_of(likelihood))[:n_bins]
    np.testing.assert_allclose(asimov, np.concatenate(total), rtol=1e-9)


class PseudoData:
    """Draws from a model at the truth."""

    def __init__(self, likelihood, seed):
        config = likelihood.model.config
        kinds = {config.param_set(name).pdf_type for name in config.auxdata_order}
        assert kinds == {"normal"}
        self.likelihood = likelihood
        self.rng = np.random.default_rng(seed)
        self.truth = truth_of(likelihood)
        self.n_bins = likelihood.yields.n_bins
        # what constrains a template's statistical uncertainty is a number of simulated events
        self.counted = np.array([one.startswith("staterror") for one in likelihood.labels])

    def measured(self):
        """Auxiliary measurement of each parameter."""
        width = self.likelihood.prefit_uncertainty()
        values = self.truth + width * self.rng.standard_normal(len(width))
        while (bad := self.counted & (values <= 0)).any():
            values[bad] = (self.truth + width * self.rng.standard_normal(len(width)))[bad]
        return values

    def draw(self):
        counts = self.rng.poisson(self.likelihood.expected_data(self.truth)[: self.n_bins])
        auxiliary = self.likelihood.expected_data(self.measured())[self.n_bins :]
        return np.concatenate([counts, auxiliary])


def usable(result):
    """Whether a pseudo-dataset has a minimum; a bin without statistics may be at its bound."""
    return all("at its bound" in note for note in result.notes)


def pulls(workspace, number, seed):
    """(fit - truth) / uncertainty of the norm factors, shape (usable, 3), and the unusable."""
    likelihood = likelihood_of(workspace, lowest=-5.0)
    source = PseudoData(likelihood, seed)
    at = [likelihood.labels.index(name) for name in NORM_FACTORS]
    found = [fit(likelihood, source.draw()) for _ in range(number)]
    good = [one for one in found if usable(one)]
    distance = np.array([(one.bestfit - source.truth)[at] for one in good])
    return distance / np.array([one.uncertainty[at] for one in good]), number - len(good)


def assert_unbiased(found, number):
    mean = found.mean(axis=0)
    assert (np.abs(mean) < 3 / np.sqrt(number)).all(), dict(zip(NORM_FACTORS, mean, strict=True))


def test_pulls_of_ten_pseudo_datasets(workspace):
    found, unusable = pulls(workspace, 10, seed=1)
    assert unusable == 0
    assert_unbiased(found, 10)


@pytest.mark.nightly
def test_the_whole_sample(built_in_folder):
    """The sample as it is handed out: Asimov data, and the pulls of fifty pseudo-datasets."""
    workspace = workspace_of(filled(truth.DEFAULT_EVENTS, built_in_folder, binning=None))
    assert_closes(likelihood_of(workspace))
    found, unusable = pulls(workspace, 50, seed=2)
    assert unusable == 0
    assert_unbiased(found, 50)
    assert (np.abs(found.std(axis=0) - 1) < 3 / np.sqrt(2 * 50)).all()


def fit_of(run):
    model, data = load_model(workspace_of(run))
    return fit(model, data)


def bias(result, name):
    """Distance of a norm factor from the truth in standard deviations."""
    value, uncertainty = result.value(name)
    return (value - TRUTH[name]) / uncertainty


def test_the_data_of_the_sample_give_the_truth(corrected):
    result = fit_of(corrected)
    assert result.converged, result.notes
    assert max(abs(bias(result, name)) for name in ("ttbar_norm", "wjets_norm")) < 3
    assert bias(result, "zprime_norm") < 3


def test_without_corrections_a_norm_factor_is_biased(corrected):
    config = copy.deepcopy(corrected.config)
    config["corrections"] = []
    config["general"]["run_systematics"] = False
    result = fit_of(built_in.fill(config, corrected.skims))
    assert result.converged, result.notes
    assert bias(result, "ttbar_norm") < -5


@pytest.mark.nightly
def test_pulls_of_samples_of_other_seeds(tmp_path):
    """The whole chain, several times: simulation and data are drawn anew each time."""
    found = []
    for seed in range(1, 5):
        sample = ensure_sample(tmp_path / "samples", EVENTS, seed)
        config = fitted_only(built_in.configuration(sample, tmp_path / f"run{seed}"))
        result = fit_of(built_in.fill(config))
        assert result.converged, result.notes
        found.append([bias(result, name) for name in ("ttbar_norm", "wjets_norm")])
    assert (np.abs(found) < 4).all(), found
    assert (np.abs(np.mean(found, axis=0)) < 3 / np.sqrt(len(found))).all(), found
