"""Names of parameters are checked against the model before anything is fitted."""

from __future__ import annotations

import pytest

from hepflow.errors import ConfigurationError
from hepflow.schema.statistics import Statistics
from hepflow.statistics import load_likelihood
from hepflow.statistics.inference_spec import InferenceSpec
from hepflow.statistics.toys import ToySpec
from tests.unit.statistics.models import all_modifiers, counting

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")


def test_a_section_becomes_a_specification():
    assert InferenceSpec.from_section(Statistics()) == InferenceSpec()
    section = Statistics(
        calculator="toys", toys=500, seed=3, minos="poi", ranking=False,
        scans=["mu", ["mu", "k"]], goodness_of_fit="toys",
    )  # fmt: skip
    assert InferenceSpec.from_section(section) == InferenceSpec(
        "toys", ToySpec(500, 3), ("poi",), ranking=False,
        scans=(("mu",), ("mu", "k")), goodness_of_fit="toys",
    )  # fmt: skip


def test_all_wrong_names_are_told_at_once():
    likelihood, _ = load_likelihood(all_modifiers())
    InferenceSpec(minos=("poi", "iso[0]"), scans=(("mu", "jes"),)).require_parameters(likelihood)
    wrong = InferenceSpec(minos=("jet",), scans=(("mu",), ("mu", "lumy")))
    with pytest.raises(ConfigurationError) as told:
        wrong.require_parameters(likelihood)
    assert [one.path for one in told.value.problems] == [
        "statistics.minos[0]",
        "statistics.scans[1][1]",
    ]
    assert "Did you mean 'lumi'?" in str(told.value)


def test_a_parameter_that_is_fixed():
    workspace = counting(5.0, 10.0, 20.0, {"name": "k", "type": "normfactor", "data": None})
    workspace["measurements"][0]["config"]["parameters"].append({"name": "k", "fixed": True})
    likelihood, _ = load_likelihood(workspace)
    with pytest.raises(ConfigurationError, match="'k' is fixed in the model"):
        InferenceSpec(minos=("k",)).require_parameters(likelihood)
