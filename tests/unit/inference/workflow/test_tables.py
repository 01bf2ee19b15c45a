"""Joining the events of jobs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hepflow.errors import InputError
from hepflow.inference.physics.drell_yan import DrellYan, DrellYanSettings
from hepflow.inference.physics.particles import of_pairs
from hepflow.inference.records import Benchmark, EventTable, Nuisance, Parameter
from hepflow.inference.workflow.jobs import jobs_of
from hepflow.inference.workflow.observing import measure
from hepflow.inference.workflow.specs import PhysicsSpec
from hepflow.inference.workflow.tables import COMPONENTS, JobEvents, join
from tests.unit.inference.workflow.small import study


def job(**provenance):
    table = EventTable(
        (Parameter("c", -1, 1),), (Benchmark("sm", (0.0,)),), ("x",), np.zeros((2, 1)),
        np.ones((2, 1)), np.full(2, -1), (Nuisance("mu", "up"),), {"up": np.ones(2)}, provenance,
    )  # fmt: skip
    return JobEvents(table, -1, 2, 1.0)


def test_varied_weights_of_other_points_or_components_are_no_one_sample():
    assert len(join([job(reference="sm"), job(reference="sm")], 1)) == 4
    with pytest.raises(InputError, match="at benchmark 'far', those of the first one at 'sm'"):
        join([job(reference="sm"), job(reference="far")], 1)
    with pytest.raises(InputError, match="PDF replicas become components"):
        join([job(**{COMPONENTS: "a"}), job(**{COMPONENTS: "b"})], 1)


def test_weights_add_up_whatever_the_cuts_leave():
    def half(one, keep):
        return replace(one, table=one.table.select(np.arange(len(one.table)) < keep))

    one = half(job(), 1)
    assert join([one, job()], 1).weights.sum() == pytest.approx((1 * 2 + 2 * 2) / 4)


@pytest.mark.parametrize("axis", ["boost", "beam"])
def test_the_angle_behind_cuts_is_that_of_the_process(axis, tmp_path):
    process = {"drell_yan": {"pdf": "analytic", "cos_axis": axis}}
    cuts = [{"name": "mu", "expression": "mu[0].pt > 10"}]
    spec = PhysicsSpec.of(study(tmp_path, process=process, cuts=cuts))
    model = DrellYan(DrellYanSettings(pdf="analytic", cos_axis=axis))
    events = model.generate(400, spec.benchmarks, 0, 5)
    (first, *_) = jobs_of(spec, tmp_path)
    found = measure(of_pairs(events.muons()), spec, events.weights[:, 0], first.seed_of(1))
    np.testing.assert_allclose(found.x, model.observe(events)[found.keep], rtol=1e-6, atol=1e-6)
