"""Preserved analyses as workflows of other engines: yadage, RECAST, REANA, Snakemake."""

from hepflow.reinterpretation.workflows.export.exporting import (
    TARGETS,
    Export,
    Setting,
    export_workflow,
)
from hepflow.reinterpretation.workflows.export.inputs import SignalInputs

__all__ = ["TARGETS", "Export", "Setting", "SignalInputs", "export_workflow"]
