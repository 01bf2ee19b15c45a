"""What holds for all templates."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hepflow.statistics.audit import (
    AuditTemplates,
    RegionTemplates,
    SampleTemplates,
    Sides,
    audit,
)
from hepflow.statistics.audit.codes import CODES
from tests.unit.statistics.audit.templates import of_source, region, sample, sides, templates

ROOT = Path(__file__).resolve().parents[4]
FAULTY = [
    templates(region(sample([400, 300, 0, 150, -70]))),
    of_source(sides(None, None)),
    of_source(sides(np.full(5, 100.0), np.full(5, 100.0))),
    of_source(Sides(np.full(5, np.nan), np.ones(5))),
    templates(region(data=[1, 2, np.nan, 4, 5])),
    templates(region(sample()), declared=False),
]


def renamed(what, names):
    """The same templates, other names of samples and the other order."""
    regions = {}
    for region_name, found in reversed(what.regions.items()):
        samples = {
            names(name): replace(one, sources=dict(reversed(one.sources.items())))
            for name, one in reversed(found.samples.items())
        }
        regions[region_name] = RegionTemplates(samples, found.data)
    return replace(what, regions=regions, signal=frozenset(map(names, what.signal)))


@pytest.mark.parametrize("what", FAULTY)
def test_the_order_does_not_matter_nor_do_names(what):
    found = audit(what)
    assert found
    assert audit(renamed(what, lambda name: name)) == found
    other = audit(renamed(what, lambda name: f"x_{name}"))
    short = {(one.code, one.region, one.sample, one.bins, one.severity) for one in found}
    assert {
        (one.code, one.region, one.sample.removeprefix("x_"), one.bins, one.severity)
        for one in other
    } == short


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n_bins=st.integers(1, 30),
    weight=st.floats(1e-3, 0.5),
    size=st.floats(0.01, 0.2),
)
def test_clean_templates_have_no_finding(seed, n_bins, weight, size):
    """A falling spectrum of many simulated events, and sources that tilt it."""
    rng = np.random.default_rng(seed)
    expected = 5000 * np.exp(-np.arange(n_bins) / n_bins * 2)
    entries = rng.poisson(expected / weight)
    nominal, variances = entries * weight, entries * weight**2
    tilt = size * (rng.choice([-1, 1]) + 0.5 * rng.uniform(-1, 1) * np.linspace(-1, 1, n_bins))
    sources = {
        "tilt": Sides(nominal * (1 + tilt), nominal * (1 - tilt)),
        "size": Sides(nominal * (1 + size), nominal / (1 + size)),
    }
    found = RegionTemplates(
        {"background": SampleTemplates(nominal, variances, sources)},
        rng.poisson(expected).astype(np.float64),
    )
    assert audit(AuditTemplates({"SR": found})) == ()


@settings(max_examples=60, deadline=None)
@given(factor=st.floats(1e-3, 1e3))
def test_the_unit_of_the_expectation_does_not_matter(factor):
    """Templates of another luminosity, data aside, have the same findings."""

    def times(what):
        regions = {
            name: RegionTemplates(
                {
                    key: SampleTemplates(
                        one.nominal * factor,
                        one.variances * factor**2,
                        {
                            source: Sides(
                                *(None if v is None else v * factor for v in (pair.up, pair.down))
                            )
                            for source, pair in one.sources.items()
                        },
                    )
                    for key, one in found.samples.items()
                }
            )
            for name, found in what.regions.items()
        }
        return AuditTemplates(regions, what.signal)

    def short(findings):
        return [(one.code, one.severity, one.region, one.sample, one.bins) for one in findings]

    for what in FAULTY[:3]:
        without = AuditTemplates(
            {name: RegionTemplates(one.samples) for name, one in what.regions.items()}, what.signal
        )
        assert short(audit(times(without))) == short(audit(without))


def test_the_page_of_the_audit_lists_all_codes():
    page = (ROOT / "docs" / "explanation" / "audit.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert rows == [
        f"| `{name}` | {code.severity} | {code.meaning} | {code.remedy} |"
        for name, code in CODES.items()
    ]


def test_every_code_says_what_it_means_and_what_to_do():
    for name, code in CODES.items():
        assert code.severity in {"error", "warning"}, name
        assert code.meaning.endswith("."), name
        assert code.remedy.endswith("."), name
