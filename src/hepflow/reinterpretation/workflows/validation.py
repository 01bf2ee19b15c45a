"""Everything that can be known to be wrong before the first step runs."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hepflow.errors import InputError, Problem, did_you_mean
from hepflow.reinterpretation.workflows import secrets
from hepflow.reinterpretation.workflows.commands import is_shell, misplaced, names_in
from hepflow.reinterpretation.workflows.inputs import Inputs
from hepflow.reinterpretation.workflows.publishers import (
    parameters_published,
    published_names,
    templates,
)
from hepflow.reinterpretation.workflows.specification import (
    INIT,
    Reference,
    Stage,
    Workflow,
    references_in,
)

Problems = Iterator[Problem]
_FIRST: Final = re.compile(r"(?:\$\.?)?([^.\[\]]+)")  # of "files[0]": "files"


@dataclass(frozen=True, slots=True)
class Checked:
    """Outcome of the checks."""

    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]


def check(workflow: Workflow, inputs: Inputs, *, ignore_environment: bool = False) -> Checked:
    """Check stages against each other, against the inputs, and commands against parameters."""
    problems = [*_order(workflow), *_missing_files(workflow, inputs)]
    for stage in workflow.stages:
        ancestors = _ancestors(stage, workflow.by_name)
        for name, value in stage.parameters.items():
            where = f"{stage.where}.parameters.{name}"
            for reference in references_in(value):
                problems += _reference(reference, ancestors, workflow, inputs)
            problems += _constants(value, where)
            refused = secrets.refusal(name, _without_references(value))
            if refused is not None:
                problems.append(Problem(where, refused, secrets.remedy()))
        problems += [*_process(stage), *_publisher(stage)]
        if stage.container and not ignore_environment:
            problems.append(_container(stage))
    return Checked(tuple(dict.fromkeys(problems)), tuple(_unused(workflow, inputs)))


def _order(workflow: Workflow) -> Problems:
    names = list(workflow.by_name)
    for stage in workflow.stages:
        for name in stage.dependencies:
            if name not in {*names, *workflow.broken}:
                message = f"dependencies: there is no stage {name!r}."
                yield Problem(stage.where, message, did_you_mean(name, names))
        several = re.fullmatch(r"(.+)_\d+", stage.name)
        other = workflow.by_name.get(several[1]) if several else None
        if other is not None and other.scatter is not None:
            message = f"its name is also that of a step of the scattered stage {other.name!r}"
            yield Problem(stage.where, message)
    cycle = _cycle(workflow.by_name)
    if cycle:
        yield Problem(workflow.where, f"stages wait for each other: {' -> '.join(cycle)}")


def _cycle(stages: Mapping[str, Stage]) -> list[str]:
    """Stages that can never begin, in the order in which they wait; empty where all can."""
    left = {name: {one for one in s.dependencies if one in stages} for name, s in stages.items()}
    while ready := [name for name, waits in left.items() if not waits & set(left)]:
        for name in ready:
            del left[name]
    if not left:
        return []
    way, name = [], min(left)
    while name not in way:
        way.append(name)
        name = min(left[name] & set(left))
    return [*way[way.index(name) :], name]


def _ancestors(stage: Stage, stages: Mapping[str, Stage]) -> set[str]:
    found: set[str] = set()
    ahead = list(stage.dependencies)
    while ahead:
        name = ahead.pop()
        if name in stages and name not in found:
            found.add(name)
            ahead += stages[name].dependencies
    return found


def _reference(
    asked: Reference, ancestors: set[str], workflow: Workflow, inputs: Inputs
) -> Problems:
    if asked.stage == INIT:
        yield from _output(asked, list(inputs.values), "the inputs have no value")
        return
    stage = workflow.by_name.get(asked.stage)
    if asked.stage in workflow.broken:
        return  # what is wrong with it is told already
    if stage is None:
        hint = did_you_mean(asked.stage, [*workflow.by_name, INIT])
        yield Problem(asked.where, f"there is no stage {asked.stage!r}.", hint)
        return
    if stage.name not in ancestors:
        message = f"it takes an output of {stage.name!r} and does not wait for it."
        yield Problem(asked.where, message, f"Add {stage.name!r} to the dependencies.")
    if asked.single and asked.index is None and stage.scatter is not None:
        message = f"{stage.name!r} has several steps, and 'step:' asks for one."
        yield Problem(asked.where, message, "Use 'stages:', or name one as 'stage[0]'.")
    known = published_names(stage.publisher)
    if known is not None:
        yield from _output(asked, known, f"stage {stage.name!r} does not publish")


def _output(asked: Reference, known: Iterable[str], says: str) -> Problems:
    names = list(known)
    if asked.output is None or asked.output in names:
        return
    first = _FIRST.match(asked.output)
    if first is None or first[1] not in names:
        yield Problem(asked.where, f"{says} {asked.output!r}.", did_you_mean(asked.output, names))


def _constants(value: Any, where: str) -> Problems:
    """Texts of the workflow file are formatted by yadage: only ``{workdir}`` is known there."""
    parts = value.values() if isinstance(value, Mapping) else value
    if isinstance(value, Mapping | list):
        for one in parts:
            yield from _constants(one, where)
    elif isinstance(value, str):
        try:
            yield from _placeholders(names_in(value), ["workdir"], where)
        except InputError as error:
            yield Problem(where, str(error))


def _placeholders(names: Iterable[str], known: Iterable[str], where: str) -> Problems:
    valid = list(known)
    for name in names:
        if name not in valid:
            hint = did_you_mean(name, valid)
            if name == "workdir":
                hint = "Add a parameter workdir: '{workdir}' to the stage."
            message = f"{{{name}}} is a placeholder that nothing fills"
            yield Problem(where, f"{message}.", f"{hint} Braces that are none are doubled.".strip())


def _process(stage: Stage) -> Problems:
    process = stage.process
    if process is None:
        return
    try:
        names = names_in(process.text)
        if process.interpreter is None or is_shell(process.interpreter):
            for message in misplaced(process.text):
                yield Problem(process.where, message)
    except InputError as error:
        yield Problem(process.where, str(error))
        return
    yield from _placeholders(names, stage.parameters, process.where)
    refused = secrets.refusal("cmd", process.text)
    if refused is not None:
        yield Problem(process.where, refused, secrets.remedy())
    if process.interpreter is not None:
        words = shlex.split(process.interpreter)
        if not words or shutil.which(words[0]) is None:
            message = f"the interpreter {process.interpreter!r} is not on the PATH."
            yield Problem(process.where, message)


def _publisher(stage: Stage) -> Problems:
    publisher = stage.publisher
    for path, text in templates(publisher):
        where = f"{publisher.where}.{path}"
        try:
            yield from _placeholders(names_in(text), ["workdir", *stage.parameters], where)
        except InputError as error:
            yield Problem(where, str(error))
    for path, name in parameters_published(publisher):
        if name not in stage.parameters:
            message = f"there is no parameter {name!r} to publish."
            hint = did_you_mean(name, stage.parameters)
            yield Problem(f"{publisher.where}.{path}", message, hint)


def _container(stage: Stage) -> Problem:
    message = f"the step is to run in the container {stage.container}, and no container engine is"
    hint = (
        "Give --ignore-environment where the programs are installed on this machine, or use "
        "yadage-run with docker."
    )
    return Problem(stage.where, f"{message} used here.", hint)


def _missing_files(workflow: Workflow, inputs: Inputs) -> Problems:
    made = {name for stage in workflow.stages for name in _names_of_outputs(stage)}
    for name, text in inputs.missing.items():
        if name not in made:
            message = f"there is no file {text!r} in {inputs.folder}."
            hint = "Name its folder with --initdir, or give a path that exists."
            yield Problem(f"{inputs.origin[name]}{name}", message, hint)


def _names_of_outputs(stage: Stage) -> Iterator[str]:
    """Inputs that name a file which the stage makes."""
    published = {name for _, name in parameters_published(stage.publisher)}
    try:
        for _, text in templates(stage.publisher):
            published.update(names_in(text))
    except InputError:
        return  # told by the check of the publisher
    for name in published & set(stage.parameters):
        for reference in references_in(stage.parameters[name]):
            if reference.stage == INIT and reference.output is not None:
                yield reference.output


def _without_references(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_references(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_without_references(one) for one in value]
    return None if isinstance(value, Reference) else value


def _unused(workflow: Workflow, inputs: Inputs) -> Iterator[str]:
    asked = [
        one
        for stage in workflow.stages
        for one in references_in(list(stage.parameters.values()))
        if one.stage == INIT
    ]
    if all(one.output is not None for one in asked):
        used = {one.output for one in asked} | {
            found[1] for one in asked if (found := _FIRST.match(one.output or ""))
        }
        for name in inputs.values:
            if name not in used:
                yield f"{inputs.origin[name]}{name}: no stage uses this input."


def default_folder(inputs: list[Path]) -> Path:
    """Where names of input files count from when nothing is said: beside the first inputs."""
    return inputs[0].absolute().parent if inputs else Path.cwd()
