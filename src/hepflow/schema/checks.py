"""Checks that need more than one field.

They work on plain nested containers and pass over what is malformed, so that they can
run beside pydantic's own checks and everything is reported at once.
"""

from __future__ import annotations

from hepflow.errors import Problem
from hepflow.schema import (
    checks_audit,
    checks_binning,
    checks_columns,
    checks_cuts,
    checks_datasets,
    checks_estimates,
    checks_inference,
    checks_names,
    checks_parts,
    checks_plotting,
    checks_reading,
    checks_samples,
    checks_sbi,
    checks_sources,
)
from hepflow.schema.tree import Check, Tree

CHECKS: tuple[Check, ...] = (
    checks_datasets.datasets_complete,
    checks_datasets.slices_sensible,
    checks_datasets.keys_unique,
    checks_datasets.one_kind_a_process,
    checks_samples.alternatives_sensible,
    checks_datasets.luminosity_by_year,
    checks_names.unique_names,
    checks_names.parameter_names,
    checks_names.same_in_all_years,
    checks_names.linked_sources,
    checks_names.fit_observables,
    checks_binning.fit_binnings,
    checks_names.known_processes,
    checks_names.known_channels,
    checks_plotting.known_parameters,
    checks_parts.selections_complete,
    checks_cuts.n_minus_1_sensible,
    checks_parts.ghosts_sensible,
    checks_sources.corrections_complete,
    checks_sources.systematics_complete,
    checks_samples.samples_complete,
    checks_estimates.estimates_sensible,
    checks_estimates.estimates_usable,
    checks_estimates.sources_of_estimates,
    checks_parts.norm_factors_sensible,
    checks_audit.accepted_findings,
    checks_inference.toys_sensible,
    checks_inference.scans_sensible,
    checks_parts.executors_sensible,
    checks_parts.switches_sensible,
    *checks_sbi.SBI_CHECKS,
    checks_columns.columns_of_changes,
    checks_reading.computed_in_time,
    checks_reading.known_columns,  # last: that a field has no effect says more
    checks_datasets.sections_by_year,
)


def cross_checks(tree: Tree) -> list[Problem]:
    """Run all checks on a configuration given as plain containers; one problem for each path."""
    found: dict[str, Problem] = {}
    for check in CHECKS:
        for problem in check(tree):
            found.setdefault(problem.path, problem)
    return list(found.values())
