"""Validation regions: predicted with the result of the fit, which does not know them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hepflow.records import Axis, Block, Ledger, Loss
from hepflow.statistics import (
    build_workspace,
    fit,
    load_likelihood,
    predict,
    predict_validation,
)
from hepflow.statistics.cabinetry_config import generate
from hepflow.statistics.spec import NormalisationSpec
from tests.unit.statistics.models import EDGES, PROCESSES, histograms, spec

LOST = (Loss("run_a", "a.root", 0, 9, "broken", "skim", 9),)


def with_region(*, scale=2.0, name="vr", found=None):
    """Histograms with one more region, whose contents are those of the control region, scaled."""
    found = found or histograms()
    axes = {**found.axes, (name, "mass"): Axis("mass", "m(tt) [GeV]", EDGES)}
    blocks = dict(found.blocks)
    for process in (*PROCESSES, "data"):
        old = found.blocks["cr", "mass", process]
        blocks[name, "mass", process] = Block(
            old.variations, scale * old.sumw, scale**2 * old.sumw2
        )
    return replace(found, axes=axes, blocks=blocks)


def wanted(*names, **changes):
    """The specification with validation regions."""
    regions = tuple(
        replace(spec().channels[1], name=name, kind="validation") for name in names or ("vr",)
    )
    return spec(validation=regions, **changes)


def fitted(found, model):
    """Result of the fit without the validation regions, and its likelihood."""
    workspace = build_workspace(found, model, generate(found, model, "h", "f"))
    assert [one["name"] for one in workspace["channels"]] == ["sr", "cr"]
    likelihood, data = load_likelihood(workspace)
    return fit(likelihood, data), likelihood


def test_a_copy_of_a_fitted_region_has_its_prediction():
    found, model = with_region(scale=1.0), wanted(mc_stat=False)
    result, likelihood = fitted(found, model)
    for post in (None, result):
        there = predict(likelihood, None, post, channels=model.channels).channel("cr")
        (here,) = predict_validation(found, model, post).channels
        np.testing.assert_allclose(here.total, there.total, rtol=1e-12)
        np.testing.assert_allclose(here.uncertainty, there.uncertainty, rtol=1e-10)
        assert here.total_uncertainty == pytest.approx(there.total_uncertainty, rel=1e-10)
        assert here.edges == EDGES
        data = found.template("vr", "mass", "data").values
        np.testing.assert_array_equal(here.data, data)
    assert here.uncertainty.sum() < predict_validation(found, model).channels[0].uncertainty.sum()


def test_what_only_the_region_has_keeps_its_width():
    found = with_region()
    own = NormalisationSpec("only_here", 0.3, PROCESSES, ("vr",))
    plain, model = wanted(mc_stat=False), wanted(normalisations=(*spec().normalisations, own))
    result, _ = fitted(found, plain)
    (without,) = predict_validation(found, plain, result).channels
    (here,) = predict_validation(found, model, result).channels
    variance = sum(found.template("vr", "mass", process).variances for process in PROCESSES)
    nominal = found.total("vr", "mass", PROCESSES).values
    statistics = (without.total / nominal) ** 2 * variance  # it scales with the yields
    total = without.uncertainty**2 + (0.3 * without.total) ** 2 + statistics
    np.testing.assert_allclose(here.total, without.total, rtol=1e-12)
    np.testing.assert_allclose(here.uncertainty**2, total, rtol=1e-8)


def test_the_fit_does_not_depend_on_them():
    found = with_region()
    with_, without = fitted(found, wanted())[0], fitted(histograms(), spec())[0]
    assert with_.to_json() == without.to_json()


def test_blind_data_are_not_shown():
    found = with_region(found=with_region(), name="vr2")
    model = wanted("vr", "vr2", blind_validation=("vr",))
    shown = predict_validation(found, model)
    assert shown.kind == "prefit"
    assert shown.channel("vr").data is None
    assert shown.channel("vr2").data is not None
    part = replace(found, process_of={"run_a": "data"}, ledger=Ledger(losses=LOST))
    assert [one.data for one in predict_validation(part, model).channels] == [None, None]
    rescaled = replace(part, rescaled={"run_a": 0.5})
    assert predict_validation(rescaled, model).channel("vr2").data is not None


def test_a_region_without_data_or_without_simulation(caplog):
    found = with_region()
    blocks = {key: one for key, one in found.blocks.items() if key != ("vr", "mass", "data")}
    assert predict_validation(replace(found, blocks=blocks), wanted()).channels[0].data is None
    blocks = {key: one for key, one in found.blocks.items() if key[0] != "vr"}
    assert predict_validation(replace(found, blocks=blocks), wanted()).channels == ()
    assert "no simulated events in vr" in caplog.text
    assert predict_validation(found, spec()).channels == ()


def test_a_region_without_signal_and_with_few_events_has_merged_bins():
    found = with_region()
    blocks = {key: one for key, one in found.blocks.items() if key != ("vr", "mass", "signal")}
    found = replace(found, blocks=blocks)
    model = wanted(min_expectation=300.0)
    (here,) = predict_validation(found, model).channels
    assert set(here.samples) == {"ttbar", "wjets"}
    assert set(here.edges) < set(EDGES)
    assert here.total.min() >= 300.0
    assert here.data.sum() == found.template("vr", "mass", "data").values.sum()
