"""Which of the sampling settings networks depend on."""

from __future__ import annotations

import pytest

from hepflow.inference.records import Parameter
from hepflow.inference.workflow.learning import draws_of, trainees_of
from hepflow.inference.workflow.training import members_of
from hepflow.schema import Study


def key(tmp_path, numerators, low, high, method="alice"):
    methods = [{"method": method}, {"method": "carl"}]  # the second one takes the numerators
    own = Study(inference={"methods": methods, "sampling": {"numerators": numerators}}).inference
    parameters = tuple(Parameter(name, low, high) for name in ("C_LL", "C_RR"))
    trainee, _ = trainees_of(own)
    (member,) = members_of(trainee, "events", draws_of(own, parameters), tmp_path)
    return member.step.key.digest


@pytest.mark.parametrize(
    ("numerators", "counts"), [("grid", True), ("prior", True), ("benchmarks", False)]
)
def test_ranges_count_where_numerators_are_taken_from_them(tmp_path, numerators, counts):
    before, wider = key(tmp_path, numerators, -1, 1), key(tmp_path, numerators, -2, 2)
    assert (before != wider) is counts
    assert key(tmp_path, numerators, -1, 1, "sally") == key(tmp_path, numerators, -2, 2, "sally")


def test_a_grid_that_moves_is_another_one(tmp_path):
    assert key(tmp_path, "grid", -1, 1) != key(tmp_path, "grid", 0, 2)
