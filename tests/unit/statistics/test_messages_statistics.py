"""Messages of the fit that no model of the other tests comes to."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from hepflow.errors import FitError, WorkspaceError
from hepflow.statistics import minimise
from hepflow.statistics.workspace import check_expectation


def test_a_likelihood_that_is_nowhere_finite(monkeypatch):
    start = np.array([1.0])
    task = minimise.Task(
        SimpleNamespace(init=start, prefit_uncertainty=lambda: start),
        np.array([1.0]),
        np.array([False]),
        np.array([[0.0, 10.0]]),
        "minuit",
    )
    monkeypatch.setattr(
        minimise, "_run", lambda *_, **__: minimise.Minimum(start, np.nan, valid=False)
    )
    with pytest.raises(FitError, match="not finite wherever the fit started"):
        minimise.minimise(task)


@pytest.mark.parametrize(("expected", "observed"), [(np.nan, 1.0), (1.0, np.inf)])
def test_a_bin_that_is_not_finite(expected, observed):
    workspace = {
        "channels": [{"name": "SR", "samples": [{"name": "a", "data": [1.0, expected]}]}],
        "observations": [{"name": "SR", "data": [1.0, observed]}],
    }
    with pytest.raises(WorkspaceError, match="channel 'SR' is not finite in bin 1"):
        check_expectation(workspace)
