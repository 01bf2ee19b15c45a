"""What the audit takes from the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hepflow.schema import Config


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Findings that a person has looked at and takes as they are; empty fields fit all."""

    code: str
    region: str = ""
    sample: str = ""
    systematic: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class AuditSpec:
    """Thresholds, and what has been looked at."""

    norm_effect: float = 0.5  # relative change of a yield
    mc_statistics: float = 0.2  # relative statistical uncertainty of the expectation
    spike: float = 0.1  # relative effect beyond that of the bins beside it
    significance: float = 3.0  # standard deviations of the simulated events
    ignore: bool = False  # errors do not stop
    accepted: tuple[Acceptance, ...] = ()

    @classmethod
    def from_config(cls, config: Config | Mapping[str, Any]) -> AuditSpec:
        """Build from a configuration, which is validated again."""
        section = Config.of(config).statistics.audit
        return cls(
            norm_effect=section.norm_effect,
            mc_statistics=section.mc_statistics,
            spike=section.spike,
            significance=section.significance,
            ignore=section.ignore,
            accepted=tuple(
                Acceptance(
                    one.code,
                    one.region or "",
                    one.sample or "",
                    one.systematic or "",
                    one.reason,
                )
                for one in section.accepted
            ),
        )
