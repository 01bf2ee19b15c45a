"""Smoothing against cabinetry's version of the same algorithm, and what it must keep."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hepflow.statistics import build_from_own, build_workspace, differs_from_filled, fit_templates
from hepflow.statistics.cabinetry_config import generate
from hepflow.statistics.smoothing import smooth_353qh_twice, smoothed
from tests.unit.statistics.models import histograms, spec
from tests.unit.statistics.test_workspace import assert_same, write_root

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")


@pytest.mark.parametrize("n_bins", [3, 4, 5, 6, 9, 20])
def test_is_what_cabinetry_and_root_compute(n_bins):
    from cabinetry import smooth

    rng = np.random.default_rng(n_bins)
    rows = np.concatenate(
        [
            rng.normal(1.0, 0.3, (30, n_bins)),
            rng.integers(0, 3, (30, n_bins)).astype(float),  # flat segments
            rng.normal(0.0, 1.0, (30, n_bins)),
        ]
    )
    theirs = [smooth.smooth_353qh_twice(row.copy()) for row in rows]
    np.testing.assert_allclose(smooth_353qh_twice(rows), theirs, rtol=1e-12, atol=1e-14)


def test_a_flat_ratio_stays_and_the_yield_is_kept():
    nominal = np.array([50.0, 40.0, 20.0, 10.0, 5.0, 1.0])
    np.testing.assert_allclose(smoothed(1.1 * nominal[np.newaxis], nominal)[0], 1.1 * nominal)
    jagged = nominal * np.array([1.1, 0.9, 1.2, 0.8, 1.3, 0.4])
    found = smoothed(jagged[np.newaxis], nominal)[0]
    assert found.sum() == pytest.approx(jagged.sum())
    assert np.abs(np.diff(found / nominal)).sum() < 0.7 * np.abs(np.diff(jagged / nominal)).sum()


def test_what_cannot_be_smoothed_stays():
    nominal = np.array([5.0, 0.0, 4.0, 3.0, 2.0])
    varied = np.array([[6.0, 0.5, 1.0, 9.0, 1.0], [np.nan, 0.0, 1.0, 1.0, 1.0], [-9.0, 0, 1, 1, 1]])
    found = smoothed(varied, nominal)
    assert found[0, 1] == 0.5  # nothing is expected there
    assert found[0, 0] != 6.0
    np.testing.assert_array_equal(found[1:], varied[1:])
    two = np.array([5.0, 4.0])
    np.testing.assert_array_equal(smoothed(np.array([[1.0, 9.0]]), two), [[1.0, 9.0]])


def rough(seed=3):
    """Histograms with one variation whose ratio goes up and down."""
    found, rng = histograms(), np.random.default_rng(seed)
    blocks = dict(found.blocks)
    for key, block in found.blocks.items():
        if key[2] != "data":
            sumw = block.sumw.copy()
            sumw[1:3] *= rng.uniform(0.8, 1.2, (2, sumw.shape[1]))
            blocks[key] = replace(block, sumw=sumw)
    return replace(found, blocks=blocks)


def test_only_the_source_that_asks_for_it_is_smoothed():
    jes, btag = spec().shapes
    wanted = spec(shapes=(replace(jes, smooth=True, processes=("ttbar",), channels=("sr",)), btag))
    assert differs_from_filled(wanted)
    before, after = rough(), fit_templates(rough(), wanted)
    for key, block in after.blocks.items():
        same = np.all(block.sumw == before.blocks[key].sumw, axis=1).tolist()
        moved = key[0] == "sr" and key[2] == "ttbar"
        assert same == ([True, False, False, True, True] if moved else [True] * len(same))
    for row in (1, 2):
        old, new = (one.blocks["sr", "mass", "ttbar"].sumw[row] for one in (before, after))
        assert new[1:-1].sum() == pytest.approx(old[1:-1].sum())
        assert (new[0], new[-1]) == (old[0], old[-1])


def test_cabinetry_smooths_to_the_same_model(tmp_path):
    jes, btag = spec().shapes
    wanted = spec(shapes=(replace(jes, smooth=True), btag))
    write_root(rough(), tmp_path / "filled.root")
    write_root(fit_templates(rough(), wanted), tmp_path / "templates.root")
    ours = build_workspace(rough(), wanted, generate(rough(), wanted, "h", "f"))
    assert_same(build_from_own(generate(rough(), wanted, tmp_path / "templates.root", "f")), ours)
    own = generate(rough(), wanted, tmp_path / "filled.root", "f")
    for one in own["Systematics"]:
        if one["Name"] == "jes":
            one["Smoothing"] = {"Algorithm": "353QH, twice"}
    assert_same(build_from_own(own), ours)
