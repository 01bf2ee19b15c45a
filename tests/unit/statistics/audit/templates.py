"""Small templates, written down by hand, that the tests of the audit change in one place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from hepflow.records.inference import Finding
from hepflow.statistics.audit import (
    AuditSpec,
    AuditTemplates,
    RegionTemplates,
    SampleTemplates,
    Sides,
    audit,
)

NOMINAL = np.array([400.0, 300.0, 200.0, 150.0, 100.0])
SIGNAL = np.array([0.0, 5.0, 20.0, 30.0, 20.0])


def array(values: Any) -> Any:
    """Numbers as the templates hold them."""
    return None if values is None else np.asarray(values, dtype=np.float64)


def sides(up: Any, down: Any, **fields: Any) -> Sides:
    """Up and down, as arrays."""
    return Sides(array(up), array(down), **fields)


def sample(nominal: Any = NOMINAL, sources: Mapping[str, Sides] | None = None, weight: float = 0.1):
    """One sample of simulated events of a weight."""
    values = array(nominal)
    return SampleTemplates(values, np.abs(values) * weight, sources or {})


def good() -> Sides:
    """A source as it should be: smooth, up and down on either side."""
    slope = np.linspace(0.98, 1.08, 5)
    return sides(NOMINAL * slope, NOMINAL * (2 - slope))


def region(background: Any = None, data: Any = None, **samples: Any) -> RegionTemplates:
    """A background with one source, a signal, and data that agree."""
    first = sample(sources={"scale": good()}) if background is None else background
    found = {"background": first, "signal": sample(SIGNAL), **samples}
    observed = array([401, 297, 216, 188, 117] if data is None else data)
    return RegionTemplates(found, observed)


def templates(first: RegionTemplates | None = None, **fields: Any) -> AuditTemplates:
    """Two regions, of which the first may be another one."""
    regions = {"SR": region() if first is None else first, "CR": region()}
    return AuditTemplates(regions, **{"signal": frozenset({"signal"}), "declared": True, **fields})


def of_source(changed: Sides, nominal: Any = NOMINAL, weight: float = 0.1) -> AuditTemplates:
    """Templates whose background has another source beside the good one, in both regions."""
    found = region(sample(nominal, {"scale": scaled(good(), nominal), "other": changed}, weight))
    return AuditTemplates({"SR": found, "CR": found}, frozenset({"signal"}))


def scaled(of: Sides, nominal: Any) -> Sides:
    """A source of the standard background, for another one."""
    ratio = array(nominal) / NOMINAL
    return replace(of, up=of.up * ratio, down=of.down * ratio)


def codes(found: Iterable[Finding]) -> list[str]:
    """Codes of findings, in their order."""
    return [one.code for one in found]


def only(found: Iterable[Finding], region: str = "SR") -> Finding:
    """The one finding of a region."""
    chosen = [one for one in found if one.region == region]
    assert len(chosen) == 1, [(one.code, one.message) for one in chosen]
    return chosen[0]


def audited(what: AuditTemplates, **fields: Any) -> tuple[Finding, ...]:
    """Findings with changed thresholds."""
    return audit(what, AuditSpec(**fields))
