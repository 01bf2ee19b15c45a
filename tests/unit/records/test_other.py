"""Datasets, variations and results."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from hepflow.records import NOMINAL, FitResult, LimitResult, LimitScan, Variation, WorkItem


def test_names_of_variations():
    assert NOMINAL.name == "nominal"
    assert Variation("jes", "up", "object").name == "jes_up"
    assert Variation("pileup", "down", "weight").name == "pileup_down"


def test_a_work_item_is_its_entry_range():
    one = WorkItem("a", "f.root", "Events", 0, 10, "uuid", {"x": 1})
    assert one.item_key == ("a", "f.root", 0, 10)
    assert one == dataclasses.replace(one, usermeta={"x": 2})
    assert hash(one) == hash(dataclasses.replace(one, usermeta={}))
    assert one < dataclasses.replace(one, entrystart=10)
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.entrystart = 5


FIT = FitResult(
    poi="mu",
    labels=("mu", "lumi"),
    bestfit=np.array([1.25, 0.1]),
    uncertainty=np.array([0.5, 0.9]),
    correlation=np.array([[1.0, 0.2], [0.2, 1.0]]),
    twice_nll=12.5,
    goodness_of_fit=None,
    converged=True,
    model={"digest": "abc"},
    notes=("a note",),
)


def test_one_parameter_of_a_fit():
    assert FIT.value("mu") == (1.25, 0.5)
    assert FIT.value("lumi") == (0.1, 0.9)
    with pytest.raises(ValueError, match="not in"):
        FIT.value("nothing")


def test_a_fit_as_json_and_back():
    again = FitResult.from_json(json.loads(json.dumps(FIT.to_json())))
    for field in dataclasses.fields(FIT):
        assert np.array_equal(getattr(again, field.name), getattr(FIT, field.name)), field.name
    keys = {"poi", "labels", "bestfit", "uncertainty", "correlation", "twice_nll"}
    assert keys | {"goodness_of_fit", "converged", "model"} <= FIT.to_json().keys()


def limit(observed: float | None, scan: LimitScan | None) -> LimitResult:
    return LimitResult(
        poi="mu",
        poi_range=(0.0, 10.0),
        confidence_level=0.95,
        observed=observed,
        expected=(0.1, 0.2, 0.3, 0.4, 0.5),
        expected_kind="a_priori",
        cls_at_observed=None if observed is None else 0.05,
        test_statistic="qtilde",
        calculator="asymptotics",
        model={"digest": "abc"},
        scan=scan,
    )


@pytest.mark.parametrize(
    "result",
    [
        limit(0.25, None),
        limit(None, LimitScan((0.0, 1.0), None, ((1.0, 0.1),) * 5)),
        limit(0.25, LimitScan((0.0, 1.0), (1.0, 0.2), ((1.0, 0.1),) * 5)),
    ],
)
def test_a_limit_as_json_and_back(result):
    assert LimitResult.from_json(json.loads(json.dumps(result.to_json()))) == result
