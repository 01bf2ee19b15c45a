"""Steps as rules of Snakemake."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence

from hepflow.reinterpretation.workflows.export.steps import Slot, Step

_HEAD = """\
# {title}
# Start with: snakemake --cores 1
configfile: "inputs.yml"


OUT = config.get("output", "results")
"""
_RULE = """

rule {name}:
    input:
{inputs}
    output:
{outputs}
{params}    shell:
{shell}
"""


def snakefile(steps: Sequence[Step], title: str, image: str | None) -> str:
    """Text of a Snakefile.

    Parameters
    ----------
    steps
        In their order; the files of the last one are what is asked for.
    title
        For its first line.
    image
        Container with tag; None for programs of the machine.
    """
    parts = [_HEAD.format(title=" ".join(title.split()))]
    if image is not None:
        parts.append(f"\n\ncontainer: {_text(f'docker://{image}')}\n")
    last = "".join(f"        {_place(steps[-1], path)},\n" for path in steps[-1].outputs.values())
    parts.append(f"\n\nrule all:\n    input:\n{last}")
    made = {name: _place(step, path) for step in steps for name, path in step.outputs.items()}
    return "".join([*parts, *(_rule(step, made) for step in steps)])


def _rule(step: Step, made: Mapping[str, str]) -> str:
    inputs, params = {}, {}
    for slot in step.slots:
        if slot.kind == "file":
            inputs[slot.name] = f"config[{_text(slot.name)}]"
        elif slot.kind == "link":
            inputs[slot.name] = made[slot.name]
        elif slot.kind == "value":
            params[slot.name] = f"config[{_text(slot.name)}]"
        elif not slot.path:
            params[slot.name] = _place(step, "")
    outputs = {name: _place(step, path) for name, path in step.outputs.items()}
    return _RULE.format(
        name=step.name,
        inputs=_lines(inputs),
        outputs=_lines(outputs),
        params=f"    params:\n{_lines(params)}\n" if params else "",
        shell="\n".join(f"        {_text(line)}" for line in _command(step)),
    )


def _command(step: Step) -> list[str]:
    """Lines of the command: one an option."""
    lines = [""]
    for word in step.words:
        shown = _slot(word) if isinstance(word, Slot) else _literal(shlex.quote(word))
        if isinstance(word, str) and word.startswith("--"):
            lines.append("")
        lines[-1] += f"{shown} "
    lines[-1] = lines[-1].rstrip()
    return lines


def _slot(slot: Slot) -> str:
    kinds = {"file": "input", "link": "input", "value": "params"}
    group = kinds.get(slot.kind, "output" if slot.path else "params")
    return f"{_literal(shlex.quote(slot.prefix)) if slot.prefix else ''}{{{group}.{slot.name}:q}}"


def _literal(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _place(step: Step, path: str) -> str:
    """Where a step puts a file, as Python of the Snakefile."""
    return f"OUT + {_text(f'/{step.name}/{path}' if path else f'/{step.name}')}"


def _lines(entries: Mapping[str, str]) -> str:
    return "\n".join(f"        {name}={value}," for name, value in entries.items())


def _text(text: str) -> str:
    """A text of Python, in the quotes that formatters prefer."""
    return json.dumps(text, ensure_ascii=False)
