"""Checks of what plots say of the parameters of the fit."""

from __future__ import annotations

from hepflow.errors import Problem, did_you_mean
from hepflow.schema.checks_names import parameters_of
from hepflow.schema.tree import Problems, Tree, by_year, entries, given, section


def known_parameters(tree: Tree) -> Problems:
    """Parameters and groups that have a label exist; a model of the user's own may have any."""
    if given(section(tree, "statistics").get("cabinetry_config")):
        return
    known = parameters_of(tree) | _groups(tree)
    for name in section(tree, "plotting", "parameter_labels"):
        if isinstance(name, str) and name not in known:
            hint = did_you_mean(name, known)
            message = f"the fit has no parameter or group {name!r}."
            yield Problem(f"plotting.parameter_labels.{name}", message, hint)


def _groups(tree: Tree) -> set[str]:
    rows = [one for _, _, one in by_year(tree, "systematics")]
    for _, _, one in by_year(tree, "corrections"):
        rows += [one, *(source for _, source in entries(one, "uncertainty_sources"))]
    return {str(one["group"]) for one in rows if given(one.get("group"))}
