"""Findings about nominal templates and data: each one there where it should be, and not else."""

from __future__ import annotations

import numpy as np
import pytest

from hepflow.statistics.audit import AuditTemplates, RegionTemplates, audit, audit_workspace
from tests.unit.statistics.audit.templates import (
    NOMINAL,
    SIGNAL,
    audited,
    codes,
    good,
    only,
    region,
    sample,
    sides,
    templates,
)
from tests.unit.statistics.models import counting


def test_templates_as_they_should_be_have_no_finding():
    assert audit(templates()) == ()


def changed(values, index, value):
    new = np.array(values, dtype=float)
    new[index] = value
    return new


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_content_that_is_not_finite(value):
    bad = changed(NOMINAL, 2, value)
    one = only(audit(templates(region(sample(bad)))))
    assert (one.code, one.severity, one.sample) == ("non-finite", "error", "background")
    assert (one.systematic, one.bins) == ("", (2,))
    one = only(audit(templates(region(data=changed(NOMINAL, 4, value)))))
    assert (one.code, one.sample, one.bins) == ("non-finite", "", (4,))
    varied = sides(bad, NOMINAL * 0.9)
    one = only(audit(templates(region(sample(sources={"scale": varied})))))
    assert (one.code, one.systematic, one.bins) == ("non-finite", "scale", (2,))
    assert "the up template is not finite in bin 2" in one.message


def test_squared_weights_that_are_not_finite_or_impossible():
    def with_variances(variances):
        found = region()
        background = found.samples["background"]
        new = type(background)(background.nominal, variances, background.sources)
        return templates(region(new))

    usual = NOMINAL * 0.1
    assert only(audit(with_variances(changed(usual, 1, np.inf)))).code == "non-finite"
    one = only(audit(with_variances(changed(usual, 1, -3.0))))
    assert (one.code, one.severity, one.bins) == ("variance", "error", (1,))
    one = only(audit(with_variances(changed(usual, 3, 0.0))))
    assert (one.code, one.severity, one.bins) == ("variance", "warning", (3,))
    assert audit(with_variances(np.full(5, np.nan))) == ()  # not known


def test_samples_that_together_expect_less_than_nothing():
    below = region(sample([400, 300, 200, 150, -70], weight=0.01), data=[400, 305, 220, 180, 0])
    found = [one for one in audit(templates(below)) if one.region == "SR"]
    assert codes(found) == ["negative-expectation", "negative-bin"]
    assert [(one.severity, one.sample, one.bins) for one in found] == [
        ("error", "", (4,)),
        ("warning", "background", (4,)),
    ]
    assert "-50 events" in found[0].message


def test_a_sample_that_expects_less_than_nothing():
    other = sample([1.0, -2.0, 3.0, 2.0, 1.0])
    one = only(audit(templates(region(other=other))))
    assert (one.code, one.severity, one.bins) == ("negative-bin", "warning", (1,))
    assert (one.sample, one.systematic) == ("other", "")


def test_data_where_nothing_is_expected():
    nothing = {"signal": sample([0, 5, 20, 30, 0])}
    empty_end = sample([400, 300, 200, 150, 0])
    one = only(audit(templates(region(empty_end, [400, 305, 220, 180, 2], **nothing))))
    assert (one.code, one.severity, one.bins) == ("data-without-prediction", "error", (4,))
    assert "2 events" in one.message
    assert (
        audit(AuditTemplates({"SR": region(empty_end, [400, 305, 220, 180, 0], **nothing)})) == ()
    )


def test_data_where_only_the_signal_is_expected():
    empty_end = sample([400, 300, 200, 150, 0])
    what = region(empty_end, [400, 305, 220, 180, 21])
    one = only(audit(templates(what)))
    assert (one.code, one.severity, one.bins) == ("data-without-background", "warning", (4,))
    assert codes(audit(AuditTemplates({"SR": what}))) == []  # nobody said what the signal is
    assert codes(audit(templates(region(empty_end, [400, 305, 220, 180, 0])))) == []


def test_bins_without_an_expectation_between_others():
    gap, nothing = [400, 300, 0, 150, 100], {"signal": sample([0, 0, 0, 0, 0])}
    one = only(audit(templates(region(sample(gap), gap, **nothing))))
    assert (one.code, one.sample, one.bins) == ("empty-bin", "", (2,))
    ends = [0, 300, 200, 150, 0]
    assert audit(AuditTemplates({"SR": region(sample(ends), ends, **nothing)})) == ()


def test_a_sample_with_a_hole():
    one = only(audit(templates(region(other=sample([9.0, 9.0, 0.0, 9.0, 9.0])))))
    assert (one.code, one.sample, one.bins) == ("empty-bin", "other", (2,))
    small = sample([0.1, 0.1, 0.0, 0.1, 0.1])  # less than a percent of what is expected there
    assert audit(templates(region(other=small))) == ()


def test_simulated_events_that_are_too_few():
    few = sample([9.0, 1.0, 9.0, 9.0, 9.0], weight=0.3)  # sqrt(0.3 / 1) is 55 %
    alone = AuditTemplates({"SR": RegionTemplates({"background": few})})
    one = only(audit(alone))
    assert (one.code, one.severity, one.bins) == ("mc-statistics", "warning", (1,))
    assert "55%" in one.message
    assert audited(alone, mc_statistics=0.6) == ()
    found = audited(alone, mc_statistics=0.15)
    assert only(found).bins == (0, 1, 2, 3, 4)


def test_a_sample_of_too_few_simulated_events():
    poor = sample(SIGNAL + 1.0, weight=10.0)  # sqrt(10 / 80) is 35 %
    one = only(audit(templates(region(other=poor), signal=frozenset())))
    assert (one.code, one.sample, one.bins) == ("mc-statistics", "other", ())
    assert "35%" in one.message
    negligible = sample(np.full(5, 0.5), weight=10.0)
    assert audit(templates(region(other=negligible), signal=frozenset())) == ()


def test_one_bin_and_no_samples_can_be_judged():
    assert audit_workspace(counting(5.0, 50.0, 52.0)) == ()
    nobody = AuditTemplates({"SR": RegionTemplates({}, np.ones(1))})
    assert codes(audit(nobody)) == ["data-without-prediction"]
    assert audit(AuditTemplates({"SR": RegionTemplates({})})) == ()
    assert audit(AuditTemplates({})) == ()


def test_the_good_source_is_good():
    assert good().complete
