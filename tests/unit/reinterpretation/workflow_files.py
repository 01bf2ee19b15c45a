"""Small workflows, written to a folder for a test."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def init(output: str, **more: Any) -> dict[str, Any]:
    """A reference to an input, in the long form that every yadage takes."""
    return reference("step", "init", output, **more)


def reference(kind: str, stage: str, output: str, **more: Any) -> dict[str, Any]:
    """A reference to what a stage publishes."""
    return {
        "expression_type": "stage-output-selector",
        kind: stage,
        "output": output,
        **more,
    }


def step(cmd: str, publish: Mapping[str, Any], **publisher: Any) -> dict[str, Any]:
    """A step of one command."""
    return {
        "process": {"process_type": "string-interpolated-cmd", "cmd": cmd},
        "publisher": {
            "publisher_type": "interpolated-pub",
            "publish": publish,
            "glob": False,
            "relative_paths": False,
            **publisher,
        },
        "environment": {"environment_type": "localproc-env"},
    }


def stage(
    name: str,
    after: list[str],
    parameters: Mapping[str, Any],
    what: Mapping[str, Any],
    **scheduler: Any,
) -> dict[str, Any]:
    """A stage in the long form."""
    kind = "multistep-stage" if "scatter" in scheduler else "singlestep-stage"
    return {
        "name": name,
        "dependencies": {"dependency_type": "jsonpath_ready", "expressions": after},
        "scheduler": {
            "scheduler_type": kind,
            "parameters": [{"key": key, "value": value} for key, value in parameters.items()],
            "step": what,
            **scheduler,
        },
    }


def chain() -> list[dict[str, Any]]:
    """Two files copied by one step each, then joined."""
    copy = step("cat {file} > {out}", {"copied": "{out}"})
    join = step("cat {parts} > {out}; echo {note} >> {out}", {"all": "{out}"})
    return [
        stage(
            "copy",
            ["init"],
            {"file": init("files"), "out": "{workdir}/copy.txt"},
            copy,
            scatter={"method": "zip", "parameters": ["file"]},
        ),
        stage(
            "join",
            ["copy"],
            {
                "parts": reference("stages", "copy", "copied"),
                "note": init("note"),
                "out": "{workdir}/all.txt",
            },
            join,
        ),
    ]


def write(folder: Path, stages: Any, inputs: Any) -> tuple[Path, Path]:
    """Write ``workflow.yml`` and ``inputs.yml``; JSON is YAML."""
    workflow, values = folder / "workflow.yml", folder / "inputs.yml"
    workflow.write_text(json.dumps({"stages": stages}), encoding="utf-8")
    values.write_text(json.dumps(inputs), encoding="utf-8")
    return workflow, values


def write_chain(folder: Path, note: str = "a note; with 'signs'") -> tuple[Path, Path]:
    """Write `chain` with its input files."""
    for name in ("a", "b"):
        (folder / f"{name}.txt").write_text(f"{name}\n", encoding="utf-8")
    return write(folder, chain(), {"files": "?.txt", "note": note})
