"""Findings about sources: each one there where it should be, and not else."""

from __future__ import annotations

import numpy as np
import pytest

from hepflow.statistics.audit import AuditTemplates, RegionTemplates, audit
from tests.unit.statistics.audit.templates import (
    NOMINAL,
    audited,
    codes,
    good,
    of_source,
    only,
    region,
    sample,
    sides,
    templates,
)


def test_a_source_without_templates_where_it_acts():
    one = only(audit(of_source(sides(None, None))))
    assert (one.code, one.severity) == ("missing-variation", "warning")
    assert (one.sample, one.systematic, one.bins) == ("background", "other", ())


def test_a_source_that_is_missing_in_some_regions():
    without = templates(region(sample()), declared=False)  # SR has no source, CR has one
    one = only(audit(without))
    assert (one.code, one.systematic) == ("missing-variation", "scale")
    assert "CR" in one.message
    declared = AuditTemplates(without.regions, without.signal, declared=True)
    assert audit(declared) == ()  # it does not act there
    empty = region(sample(np.zeros(5)), np.zeros(5), signal=sample())
    assert "missing-variation" not in codes(audit(templates(empty, declared=False)))


@pytest.mark.parametrize("side", ["up", "down"])
def test_one_side_that_is_missing_or_nominal(side):
    varied = NOMINAL * 1.1
    for other in (None, NOMINAL):
        given = sides(varied, other) if side == "down" else sides(other, varied)
        one = only(audit(of_source(given)))
        assert (one.code, one.severity) == ("missing-side", "warning")
        assert side in one.message


def test_sides_that_are_the_same():
    equal = NOMINAL * np.linspace(0.9, 1.2, 5)
    found = audit(of_source(sides(equal, equal)))
    assert only(found).code == "identical-sides"
    assert only(found).severity == "error"
    close = sides(equal, equal * (1 + 1e-8))  # as single precision leaves them
    assert only(audit(of_source(close))).code == "identical-sides"
    assert audit(of_source(sides(equal, 2 * NOMINAL - equal))) == ()


def test_in_a_finished_model_sides_that_are_the_same_are_a_warning():
    equal = NOMINAL * 1.1
    what = of_source(sides(equal, equal))
    published = AuditTemplates(what.regions, what.signal, published=True)
    assert [(one.code, one.severity) for one in audit(published)] == [
        ("identical-sides", "warning")
    ] * 2


def test_a_source_without_an_effect():
    one = only(audit(of_source(sides(NOMINAL, NOMINAL))))
    assert (one.code, one.severity, one.systematic) == ("no-effect", "warning", "other")


def test_a_sample_that_a_faulty_source_does_not_move_has_the_fault_too():
    equal = sides(NOMINAL * 1.1, NOMINAL * 1.1)
    still = sample(sources={"other": sides(NOMINAL, NOMINAL)})
    found = audit(templates(region(sample(sources={"scale": good(), "other": equal}), still=still)))
    assert {one.sample for one in found if one.code == "identical-sides"} == {"background", "still"}
    right = sides(NOMINAL * 1.1, NOMINAL * 0.9)  # another sample shows that the source is not
    more = sample(sources={"other": right})
    first = sample(sources={"scale": good(), "other": equal})
    found = audit(AuditTemplates({"SR": region(first, still=still, more=more)}))
    assert [(one.code, one.sample) for one in found] == [
        ("identical-sides", "background"),
        ("no-effect", "still"),
    ]


@pytest.mark.parametrize(("factor", "said"), [(31.0, "31"), (1.6, "1.6"), (0.08, "0.08")])
def test_yields_that_change_by_more_than_the_threshold(factor, said):
    other = 0.9 if factor > 1 else 1.1
    one = only(audit(of_source(sides(NOMINAL * factor, NOMINAL * other))))
    assert (one.code, one.severity) == ("norm-effect", "error")
    assert f"multiplied by {said} up." in one.message
    one = only(audit(of_source(sides(NOMINAL * other, NOMINAL * factor))))
    assert f"multiplied by {said} down." in one.message


def test_the_threshold_of_a_yield():
    what = of_source(sides(NOMINAL * 1.3, NOMINAL * 0.7))
    assert audit(what) == ()
    assert codes(audited(what, norm_effect=0.29)) == ["norm-effect"] * 2
    assert audited(what, norm_effect=0.31) == ()


def test_a_yield_of_few_events_can_change_by_chance():
    few = np.array([1.0, 1.0, 0.0, 0.0, 0.0])  # two events
    double = sides(few * 2, few * 0.9)
    poor = sample(few, {"other": double}, weight=1.0)
    found = [one for one in audit(templates(region(other=poor))) if one.code == "norm-effect"]
    assert [one.severity for one in found] == ["warning"]
    rich = sample(few, {"other": double}, weight=0.001)
    found = [one for one in audit(templates(region(other=rich))) if one.code == "norm-effect"]
    assert [one.severity for one in found] == ["warning"]  # and beside the rest it is nothing
    more = sample(few * 50, {"other": sides(few * 100, few * 45)}, weight=0.001)
    found = [one for one in audit(templates(region(other=more))) if one.code == "norm-effect"]
    assert [one.severity for one in found] == ["error"]


def test_a_size_that_is_configured_is_no_error():
    what = of_source(sides(NOMINAL * 1.6, NOMINAL * 0.4, stated=True))
    assert [(one.code, one.severity) for one in audit(what)] == [("norm-effect", "warning")] * 2


def test_in_a_finished_model_only_a_lost_factor_is_an_error():
    for factor, severity in ((2.5, "warning"), (3.5, "error"), (0.2, "error")):
        what = of_source(sides(NOMINAL * factor, NOMINAL * (0.95 if factor > 1 else 1.05)))
        published = AuditTemplates(what.regions, what.signal, published=True)
        assert {(one.code, one.severity) for one in audit(published)} == {("norm-effect", severity)}


def test_yields_on_one_side():
    one = only(audit(of_source(sides(NOMINAL * 1.1, NOMINAL * 1.05))))
    assert (one.code, one.severity, one.bins) == ("one-sided", "warning", ())
    assert "up +10.00%, down +5.00%" in one.message
    assert audit(of_source(sides(NOMINAL * 1.1, NOMINAL * 1.0005))) == ()  # of second order
    poor = of_source(sides(NOMINAL * 1.01, NOMINAL * 1.005), weight=10.0)
    assert audited(poor, mc_statistics=1.0) == ()  # half an event
    found = audited(poor, mc_statistics=1.0, significance=0.1)
    assert codes(found) == ["one-sided"] * 2


def test_bins_on_one_side():
    up = NOMINAL * np.array([1.1, 1.1, 1.08, 1.1, 1.1])
    down = NOMINAL * np.array([0.9, 0.9, 1.05, 0.9, 0.9])
    one = only(audited(of_source(sides(up, down)), spike=1.0))
    assert (one.code, one.bins) == ("one-sided", (2,))
    poor = of_source(sides(up, down), weight=10.0)
    assert audited(poor, spike=1.0, mc_statistics=1.0) == ()


def test_spikes():
    slope = np.linspace(1.0, 1.1, 5)
    jump = slope + np.array([0, 0, 0.4, 0, 0])
    one = only(audit(of_source(sides(NOMINAL * jump, NOMINAL * (2 - slope)))))
    assert (one.code, one.severity, one.bins) == ("spike", "warning", (2,))
    assert "bin 2, up: +40%" in one.message
    what = of_source(sides(NOMINAL * jump, NOMINAL * (2 - slope)))
    assert audited(what, spike=0.5) == ()
    assert audited(what, significance=100.0) == ()
    edge = slope + np.array([0.4, 0, 0, 0, 0])  # it has one neighbour
    assert audit(of_source(sides(NOMINAL * edge, NOMINAL * (2 - slope)))) == ()


def test_a_jump_that_few_events_explain_is_no_spike():
    few = NOMINAL / 100  # of weight 1: 2 events in the bin
    slope = np.linspace(1.0, 1.1, 5)
    jump = slope + np.array([0, 0, 0.4, 0, 0])
    found = audit(of_source(sides(few * jump, few * (2 - slope)), few, weight=1.0))
    assert "spike" not in codes(found)


def test_a_source_that_makes_bins_negative():
    up = NOMINAL * np.array([1, 1, 1, 1, -0.05]) - np.array([0, 0, 0, 0, 1.0])
    what = of_source(sides(up, NOMINAL * 1.2))
    found = [one for one in audit(what) if one.region == "SR" and one.code == "negative-bin"]
    assert [(one.systematic, one.bins, one.severity) for one in found] == [
        ("other", (4,), "warning")
    ]
    alone = AuditTemplates(
        {"SR": RegionTemplates({"background": what.regions["SR"].samples["background"]})}
    )
    found = [one for one in audit(alone) if one.code == "negative-expectation"]
    assert [(one.sample, one.systematic, one.bins, one.severity) for one in found] == [
        ("", "other", (4,), "warning")
    ]
