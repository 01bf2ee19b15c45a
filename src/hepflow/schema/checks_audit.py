"""Checks of what the audit of templates is told to accept."""

from __future__ import annotations

from hepflow.errors import Problem, did_you_mean
from hepflow.schema.checks_datasets import processes_of
from hepflow.schema.checks_estimates import estimated_processes
from hepflow.schema.tree import Problems, Tree, entries


def accepted_findings(tree: Tree) -> Problems:
    """Findings are accepted for channels and processes that exist."""
    channels = [str(one.get("name")) for _, one in entries(tree, "channels")]
    processes = [*processes_of(tree), *estimated_processes(tree)]
    for i, one in entries(tree, "statistics", "audit", "accepted"):
        where = f"statistics.audit.accepted[{i}]"
        for name, what, known in (
            ("region", "channel", channels),
            ("sample", "process", processes),
        ):
            value = one.get(name)
            if isinstance(value, str) and known and value not in known:
                message = f"there is no {what} {value!r}."
                yield Problem(f"{where}.{name}", message, did_you_mean(value, known))
