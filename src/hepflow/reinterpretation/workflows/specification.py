"""The part of yadage's workflow language that is run here, as records."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from hepflow.reinterpretation.workflows.references import Node

INIT: Final = "init"  # the name under which the inputs are referred to
SELECTOR: Final = re.compile(r"([A-Za-z_@][\w@-]*)(?:\[(\*|\d+)\])?")


@dataclass(frozen=True, slots=True)
class Reference:
    """A parameter whose value other steps publish."""

    stage: str  # INIT for the inputs
    index: int | None  # of the step in its stage; None: all
    output: str | None  # None: all that a step publishes
    single: bool  # `step:` is one value, `stages:` a list with one entry a step
    flatten: bool = False
    unwrap: bool = False  # a list of one entry becomes the entry
    where: str = ""


@dataclass(frozen=True, slots=True)
class Process:
    """What a step runs."""

    text: str  # with placeholders
    interpreter: str | None  # None: one command of the shell
    where: str


@dataclass(frozen=True, slots=True)
class Publisher:
    """What a step makes known to others."""

    kind: str  # "interpolated-pub"
    content: Mapping[str, Any]  # its fields
    where: str


@dataclass(frozen=True, slots=True)
class Scatter:
    """How one stage becomes several steps."""

    parameters: tuple[str, ...]
    method: str  # "zip" or "cartesian"
    batch_size: int | None = None
    partitions: int | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage: one step, or one for each entry of scattered parameters."""

    name: str
    dependencies: tuple[str, ...]  # names of stages, without INIT
    parameters: Mapping[str, Any]  # plain values; a Reference instead of what is not known yet
    process: Process | None  # None: it publishes only
    publisher: Publisher
    container: str | None  # image that its environment names
    where: str
    scatter: Scatter | None = None


@dataclass(frozen=True, slots=True)
class Workflow:
    """Stages in the order of the file."""

    stages: tuple[Stage, ...]
    where: str
    by_name: Mapping[str, Stage] = field(default_factory=dict)
    broken: frozenset[str] = frozenset()  # names of stages that can't be read

    @property
    def last(self) -> tuple[str, ...]:
        """Stages that no other stage waits for."""
        awaited = {name for stage in self.stages for name in stage.dependencies}
        return tuple(stage.name for stage in self.stages if stage.name not in awaited)


def reference_of(node: Node) -> Reference | None:
    """Return the reference that a mapping is; None for a plain value or one that is wrong."""
    value = node.value
    if not isinstance(value, dict) or not {"step", "stages", "steps"} & set(value):
        return None
    key = next(name for name in ("step", "stages", "steps") if name in value)
    found = SELECTOR.fullmatch(str(value[key]))
    if found is None:
        node.wrong(
            f"{key}: {value[key]!r} is not the name of a stage.",
            "Names such as 'skim', 'skim[*]' or 'skim[0]' are followed; other JSONPath is not.",
        )
        return None
    output = value.get("output")
    return Reference(
        stage=found[1],
        index=int(found[2]) if found[2] and found[2] != "*" else None,
        output=None if output is None else str(output),
        single=key == "step",
        flatten=bool(value.get("flatten", False)),
        unwrap=bool(value.get("unwrap", False)),
        where=node.where,
    )


def references_in(value: Any) -> list[Reference]:
    """All references in a parameter."""
    if isinstance(value, Reference):
        return [value]
    parts = value.values() if isinstance(value, Mapping) else value
    if isinstance(value, Mapping | list):
        return [one for part in parts for one in references_in(part)]
    return []
