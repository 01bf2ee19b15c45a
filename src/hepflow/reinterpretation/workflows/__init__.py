"""Workflows of yadage's language: run in local processes."""

from hepflow.reinterpretation.workflows.problems import WorkflowError
from hepflow.reinterpretation.workflows.running import (
    Plan,
    StepOutcome,
    WorkflowResult,
    load_workflow,
    run_workflow,
)

__all__ = [
    "Plan",
    "StepOutcome",
    "WorkflowError",
    "WorkflowResult",
    "load_workflow",
    "run_workflow",
]
