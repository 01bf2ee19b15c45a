"""The benchmark of the inference compares equal things, and would tell if they were not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.inference import __main__ as inference
from benchmarks.inference.__main__ import Line, main, show
from benchmarks.inference.environment import measure
from benchmarks.inference.models import bump
from hepflow.statistics import load_likelihood

LINE = Line("CLs scan", "pyhf, numpy", ours=0.1, theirs=20.0, difference=1e-7, allowed=1e-5)


def test_the_model_is_as_large_as_it_says():
    for mc_stat in (False, True):
        likelihood, _ = load_likelihood(bump(6, 5, mc_stat=mc_stat))
        assert likelihood.yields.n_bins == 6
        assert len(likelihood.labels) == 1 + 5 + 6 * mc_stat


def test_slow_or_different_is_not_fine(capsys):
    assert LINE.fine
    assert LINE.ratio == pytest.approx(200)
    slow, other = replace(LINE, theirs=1.0), replace(LINE, difference=1e-3)
    assert not slow.fine
    assert not other.fine
    show([LINE, slow])
    assert capsys.readouterr().out.count("MISSED") == 1


@pytest.mark.campaign
def test_peers_compute_the_same():
    workspace, values = bump(4, 3, mc_stat=True), [0.5, 2.0]
    ours = measure("ours.py", "scan", workspace, values)
    theirs = measure("pyhf_scan.py", "numpy", workspace, values)
    np.testing.assert_allclose(ours["found"], theirs["found"], atol=1e-5)
    assert ours["cpu"] < theirs["cpu"]


@pytest.mark.campaign
def test_exit_status_says_whether_a_bar_was_missed(monkeypatch, tmp_path):
    small = ["--bins", "4", "--parameters", "2", "--points", "3", "--numpy-points", "1",
             "--ranking-bins", "4", "--ranking-parameters", "2", "--without-jax"]  # fmt: skip
    monkeypatch.setattr(inference, "LEAST", dict.fromkeys(inference.LEAST, 0.0))
    assert main([*small, "--json", str(tmp_path / "found.json")]) == 0
    monkeypatch.setattr(inference, "CLS_EQUAL", -1.0)
    assert main(small) == 1
