"""Tables from the arrays of an analysis."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hepflow.errors import InputError, NormalisationError
from hepflow.inference.from_skims import SkimColumns, SkimPart, table_from_skims
from hepflow.inference.nuisances import response_of
from hepflow.inference.records import Benchmark, Nuisance, Parameter

COLUMNS = SkimColumns(
    (Parameter("c", -1.0, 1.0),),
    (Benchmark("sm", (0.0,)), Benchmark("plus", (1.0,)), Benchmark("minus", (-1.0,))),
    ("mass", "met"),
    (Nuisance("mu", "mu_up", "mu_down"), Nuisance("pileup", "pileup_up")),
    {"analysis": "user"},
)
NOMINAL = np.array([1.0, 2.0, -0.5])


def part(factor: float = 1.0, **changes) -> SkimPart:
    weights = {
        "sm": NOMINAL * factor,
        "plus": NOMINAL * factor * 3,
        "minus": NOMINAL * factor * 2,
        "mu_up": NOMINAL * factor * 1.1,
        "mu_down": NOMINAL * factor * 0.9,
        "pileup_up": NOMINAL * factor,
    }
    features: dict[str, Any] = {"mass": [91.0, 125.0, 172.0], "met": np.array([1, 2, 3])}
    made = SkimPart(features, weights, 10.0, 5.0 * factor, "signal__nominal", "sm")
    return replace(made, **changes)


def test_normalised_by_cross_section_and_sum_of_all_weights():
    table = table_from_skims(COLUMNS, [part()])
    # 10 pb, generator weights of 5 in all, of which 2.5 passed: 5 pb; thrice that at `plus`
    np.testing.assert_allclose(table.weights.sum(axis=0), [5.0, 15.0, 10.0])
    np.testing.assert_array_equal(table.x, [[91, 1], [125, 2], [172, 3]])
    np.testing.assert_array_equal(table.sampled_from, [0, 0, 0])
    np.testing.assert_allclose(response_of(table).linear[:, 0], np.log(1.1 / 0.9) / 2)
    np.testing.assert_allclose(table.nuisance_weights["mu_up"], NOMINAL * 2 * 1.1)
    assert table.provenance == {"analysis": "user"}


@pytest.mark.parametrize("factor", [1e-3, 1.0, 7e4])
def test_the_scale_of_generator_weights_does_not_matter(factor):
    found = table_from_skims(COLUMNS, [part(factor)])
    np.testing.assert_allclose(found.weights, table_from_skims(COLUMNS, [part()]).weights)


def test_parts_and_datasets_add_up():
    whole = table_from_skims(COLUMNS, [part()])
    first, second = part(), part()
    for one, rows in ((first, slice(0, 1)), (second, slice(1, 3))):
        object.__setattr__(one, "features", {k: v[rows] for k, v in one.features.items()})
        object.__setattr__(one, "weights", {k: v[rows] for k, v in one.weights.items()})
    halves = table_from_skims(COLUMNS, [first, second])
    np.testing.assert_array_equal(halves.weights, whole.weights)
    other = part(cross_section=2.0, dataset="slice", sampled_from="")
    both = table_from_skims(COLUMNS, [part(), other])
    np.testing.assert_allclose(both.weights.sum(axis=0), whole.weights.sum(axis=0) * 1.2)
    assert both.sampled_from.tolist() == [0, 0, 0, -1, -1, -1]
    # two samples of the same physics, each at half
    same = table_from_skims(COLUMNS, [part(share=0.5), part(share=0.5)])
    np.testing.assert_allclose(same.weights.sum(axis=0), whole.weights.sum(axis=0))


def test_a_part_without_events_is_fine():
    empty = part(features={"mass": [], "met": []}, weights={name: [] for name in part().weights})
    assert len(table_from_skims(COLUMNS, [part(), empty])) == 3


def test_metadata_of_skims():
    metadata = {"dataset": "signal__nominal", "is_data": False, "xsec": 10.0, "sum_weights": 5.0,
                "part_sum_weights": 1.0}  # fmt: skip
    made = SkimPart.of(metadata, part().features, part().weights, "sm")
    np.testing.assert_array_equal(
        table_from_skims(COLUMNS, [made]).weights, table_from_skims(COLUMNS, [part()]).weights
    )
    with pytest.raises(InputError, match="'data' is data"):
        SkimPart.of({"dataset": "data", "is_data": True}, {}, {})


@pytest.mark.parametrize("name", ["cross_section", "sum_weights"])
@pytest.mark.parametrize("value", [None, 0.0, -1.0, float("nan")])
def test_without_normalisation_there_is_no_table(name, value):
    with pytest.raises(NormalisationError, match=r"'signal__nominal' has the .* expected a posi"):
        table_from_skims(COLUMNS, [part(**{name: value})])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": {"mas": [1.0] * 3, "met": [1.0] * 3}}, "no column 'mass'. Did you mean"),
        ({"features": {"mass": [1.0] * 2, "met": [1.0] * 3}}, r"shape \(2,\); expected \(3,\)"),
        ({"weights": {"sm": NOMINAL}}, "no column 'plus'"),
        ({"sampled_from": "sn"}, "generated at benchmark 'sn'. Valid: minus, plus, sm"),
        ({"features": {"mass": [1.0, 2.0, np.nan], "met": [1.0] * 3}}, "observable 'mass' is nan"),
    ],
)
def test_what_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        table_from_skims(COLUMNS, [part(**change)])


def test_no_parts():
    with pytest.raises(InputError, match="no skims"):
        table_from_skims(COLUMNS, [])


def test_parts_of_metadata_know_k_factor_and_filter():
    metadata = {"dataset": "signal__nominal", "xsec": 10.0, "sum_weights": 5.0}
    made = SkimPart.of(
        metadata, part().features, part().weights, "sm", k_factor=1.2, filter_efficiency=0.5
    )
    assert made.factor == pytest.approx(10.0 * 1.2 * 0.5 / 5.0)
    table = table_from_skims(COLUMNS, [made])
    np.testing.assert_allclose(table.weights.sum(axis=0), [3.0, 9.0, 6.0])
    without = SkimPart.of({**metadata, "xsec": None}, part().features, part().weights)
    with pytest.raises(NormalisationError, match="has the cross-section None"):
        table_from_skims(COLUMNS, [without])
