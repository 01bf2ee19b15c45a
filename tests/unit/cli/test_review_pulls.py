"""What is drawn as a pull: only parameters whose constraint is 0 +- 1."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from hepflow.cli.inference.writing import free_parameters
from hepflow.cli.plotting.results import _free
from hepflow.plotting.fit_numbers import pull_numbers
from hepflow.statistics import fit, load_likelihood
from tests.unit.statistics.models import counting, normsys

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")


def with_luminosity():
    """A luminosity of 1 +- 0.02, a factor on one bin, a nuisance parameter of size."""
    lumi = {"name": "lumi", "type": "lumi", "data": None}
    bins = {"name": "bins", "type": "shapesys", "data": [1.0]}
    content = counting(3.0, 100.0, 104.0, normsys("size", 1.1, 0.9), lumi, bins)
    one = {"name": "lumi", "auxdata": [1.0], "sigmas": [0.02], "inits": [1.0]}
    settings = content["measurements"][0]["config"]["parameters"]
    settings.append({**one, "bounds": [[0.5, 1.5]]})
    return content


def test_a_luminosity_is_no_pull(tmp_path):
    content = with_luminosity()
    likelihood, data = load_likelihood(content)
    result = fit(likelihood, data)
    (tmp_path / "workspace.json").write_text(json.dumps(content))
    opened = SimpleNamespace(likelihood=likelihood)
    for factors in (free_parameters(opened), _free(tmp_path / "workspace.json")):
        numbers = pull_numbers(result, factors)
        assert numbers.nuisances.labels == ("size",)
        assert set(numbers.factors.labels) == {"mu", "lumi", "bins[0]"}
