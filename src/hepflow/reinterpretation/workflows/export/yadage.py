"""Steps in the language of yadage and packtivity.

All is written out in full: with jsonschema 4.18 and newer, yadage's own code for short forms
(``dependencies: [init]``, parameters as a mapping, fields with defaults) does nothing.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from hepflow.reinterpretation.workflows.export.steps import Slot, Step


def steps_file(steps: Sequence[Step], image: str | None) -> dict[str, Any]:
    """Content of ``steps.yml``.

    Parameters
    ----------
    steps
        In their order.
    image
        Container with tag; None for processes of the machine.
    """
    return {
        step.name: {
            "process": {"process_type": "string-interpolated-cmd", "cmd": command(step)},
            "publisher": {
                "publisher_type": "frompar-pub",
                "outputmap": {name: name for name in step.outputs},
            },
            "environment": _environment(image),
        }
        for step in steps
    }


def command(step: Step) -> str:
    """Command with its placeholders; each word is quoted, since values hold blanks."""
    return " ".join(
        f"'{_literal(word.prefix)}{{{word.name}}}'"
        if isinstance(word, Slot)
        else _literal(shlex.quote(word))
        for word in step.words
    )


def _literal(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _environment(image: str | None) -> dict[str, Any]:
    if image is None:
        return {"environment_type": "localproc-env"}
    name, tag = split_image(image)
    return {
        "environment_type": "docker-encapsulated",
        "image": name,
        "imagetag": tag,
        "resources": [],
        "envscript": "",
        "env": {},
        "workdir": None,
        "par_mounts": [],
    }


def split_image(image: str) -> tuple[str, str]:
    """Name and tag of a container.

    Examples
    --------
    >>> split_image("registry:5000/search:v1"), split_image("registry:5000/search")
    (('registry:5000/search', 'v1'), ('registry:5000/search', 'latest'))
    """
    folder, slash, last = image.rpartition("/")
    name, _, tag = last.partition(":")
    return f"{folder}{slash}{name}", tag or "latest"


def workflow_file(steps: Sequence[Step]) -> dict[str, Any]:
    """Content of ``workflow.yml``: one stage a step."""
    return {"stages": [_stage(step) for step in steps]}


def _stage(step: Step) -> dict[str, Any]:
    before = list(dict.fromkeys(slot.source for slot in step.slots if slot.kind == "link"))
    values: dict[str, Any] = {slot.name: _value(slot) for slot in step.slots}
    values |= {name: f"{{workdir}}/{path}" for name, path in step.outputs.items()}
    return {
        "name": step.name,
        "dependencies": {"dependency_type": "jsonpath_ready", "expressions": before or ["init"]},
        "scheduler": {
            "scheduler_type": "singlestep-stage",
            "parameters": [{"key": key, "value": value} for key, value in values.items()],
            "step": {"$ref": f"steps.yml#/{step.name}"},
        },
    }


def _value(slot: Slot) -> Any:
    if slot.kind == "made":
        return f"{{workdir}}/{slot.path}" if slot.path else "{workdir}"
    return {
        "expression_type": "stage-output-selector",
        "step": slot.source or "init",
        "output": slot.name,
    }
