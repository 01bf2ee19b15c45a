"""Checks of toys and scans: what is senseless is told before a file is opened."""

from __future__ import annotations

import pytest

from tests.unit.schema.examples import changed, problems_in

TOYS = {"statistics__calculator": "toys"}

RIGHT = [
    {"statistics__toys": 5000, "statistics__seed": 3, **TOYS},
    {"statistics__toys": 5000, "statistics__goodness_of_fit": "toys"},
    {"statistics__limit": False, **TOYS},
    {"statistics__scans": ["poi", ["mu", "lumi"], ["mu"]], "statistics__minos": "poi"},
]


@pytest.mark.parametrize("values", RIGHT)
def test_sensible_combinations(values):
    assert problems_in(changed(**values)) == {}


WRONG = [
    ({"statistics__toys": 5000}, "toys", "has no effect without calculator 'toys' or"),
    ({"statistics__seed": 7}, "seed", "has no effect without calculator 'toys' or"),
    ({"statistics__scan_points": 11, **TOYS}, "scan_points", "has no effect with calculator"),
    (
        {"statistics__limit": False, "statistics__significance": False, **TOYS},
        "calculator",
        "has no effect without limit and without significance",
    ),
    ({"statistics__toys": 10, **TOYS}, "toys", "100"),
    ({"statistics__seed": -1, **TOYS}, "seed", "0"),
    ({"statistics__calculator": "exact"}, "calculator", "asymptotic"),
    ({"statistics__goodness_of_fit": "none"}, "goodness_of_fit", "asymptotic"),
    ({"statistics__ranking": "yes"}, "ranking", "true or false"),
    ({"statistics__scans": [["mu", "mu"]]}, "scans[0]", "names 'mu' twice"),
    ({"statistics__scans": [["mu", "k"], ["k", "mu"]]}, "scans[1]", "stands already at"),
    ({"statistics__scans": [["a", "b", "c"]]}, "scans[0]", "2"),
    ({"statistics__scans": [[]]}, "scans[0]", "at least one"),
]


@pytest.mark.parametrize(("values", "path", "message"), WRONG)
def test_senseless_combinations(values, path, message):
    found = problems_in(changed(**values))
    assert message in str(found[f"statistics.{path}"])
