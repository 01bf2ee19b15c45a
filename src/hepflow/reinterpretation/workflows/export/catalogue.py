"""Entries of RECAST's catalogue, and the specification of REANA."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hepflow.reinterpretation.bundle.manifest import Manifest
from hepflow.reinterpretation.workflows.export.container import short_name
from hepflow.reinterpretation.workflows.export.steps import Step, signal_names


def recast_file(
    manifest: Manifest, steps: Sequence[Step], parameters: Mapping[str, Any], author: str
) -> dict[str, Any]:
    """Content of ``recast.yml``; the workflow lies in the folder ``specs`` beside it."""
    last = steps[-1]
    return {
        "name": f"hepflow/{short_name(manifest)}",
        "metadata": {
            "author": author,
            "short_description": f"Limit on a signal in place of {', '.join(manifest.signals)}",
            "tags": ["hepflow"],
        },
        "spec": {"workflow": "workflow.yml"},
        "example_inputs": {"default": {"initdata": dict(parameters)}},
        # RECAST reads results as text: pictures stay in the folder of the run.
        "results": [
            {
                "name": "Limit on the signal strength",
                "relpath": f"{last.name}/{last.outputs['limit']}",
                "load_yaml": True,
            }
        ],
    }


def reana_file(
    manifest: Manifest, steps: Sequence[Step], parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """Content of ``reana.yaml``, with the stages of yadage as its workflow."""
    files = [str(parameters[name]) for name in signal_names(manifest)]
    last = steps[-1]
    return {
        "inputs": {
            "files": ["workflow.yml", "steps.yml", *(one for one in files if "://" not in one)],
            "parameters": dict(parameters),
        },
        "workflow": {"type": "yadage", "file": "workflow.yml"},
        "outputs": {"files": [f"{last.name}/{path}" for path in last.outputs.values()]},
    }
