"""From stages to steps: references get their values, and scattered parameters are dealt out."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hepflow.errors import ExecutionError, did_you_mean
from hepflow.reinterpretation.workflows.commands import Verbatim, plain_text
from hepflow.reinterpretation.workflows.specification import Reference, Scatter, Stage

_MOST: Final = 100_000  # steps of a stage
_STEP: Final = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Job:
    """One step, ready to run."""

    name: str  # "skim", or "skim_0" of a stage with several
    stage: Stage
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Known:
    """A value that came from outside of the workflow file: braces in it are no placeholders."""

    value: Any


def select(published: Any, output: str | None, where: str) -> Any:
    """One of the published values, by its name or a path such as ``files[0]``.

    Raises
    ------
    ExecutionError
        Nothing is published there.
    """
    if output is None:
        return published
    if isinstance(published, Verbatim):
        return Verbatim(f"{published.text[:-1]}.{output}>", is_variable=False)
    if isinstance(published, Mapping) and output in published:
        return published[output]
    value = published
    for name, index in _STEP.findall(output.removeprefix("$")):
        try:
            value = value[int(index)] if index else value[name]
        except (KeyError, IndexError, TypeError) as error:
            known = published if isinstance(published, Mapping) else ()
            hint = did_you_mean(output, known)
            raise ExecutionError(f"{where}: nothing is published as {output!r}. {hint}") from error
    return value


def resolve(reference: Reference, results: Mapping[str, Sequence[Any]]) -> Any:
    """The value of a reference.

    Parameters
    ----------
    reference
        What is asked for.
    results
        What each step of a stage has published, by stage.

    Raises
    ------
    ExecutionError
        The stage has not the one step that is asked for, or it did not publish that.
    """
    steps = list(results[reference.stage])
    previewed = any(isinstance(one, Verbatim) for one in steps)
    if reference.index is not None and not previewed:
        steps = steps[reference.index : reference.index + 1]
    if len(steps) != 1 and (reference.single or reference.index is not None):
        count = len(results[reference.stage])
        raise ExecutionError(
            f"{reference.where}: one step of {reference.stage} is asked for, and it has {count}. "
            "Ask for all of them by 'stages:'."
        )
    values = [select(one, reference.output, reference.where) for one in steps]
    if reference.single:
        return values[0]
    if reference.flatten:
        lists = [one if isinstance(one, list) else [one] for one in values]
        values = list(itertools.chain.from_iterable(lists))
    return values[0] if reference.unwrap and len(values) == 1 else values


def jobs(stage: Stage, results: Mapping[str, Sequence[Any]], workdir: Path) -> list[Job]:
    """Steps of a stage whose dependencies are done.

    Raises
    ------
    ExecutionError
        A reference has no value, or parameters can't be scattered.
    """
    filled = {key: _filled(value, results) for key, value in stage.parameters.items()}
    if stage.scatter is None:
        return [Job(stage.name, stage, _finished(filled, workdir / stage.name))]
    return [
        Job(name, stage, _finished(one, workdir / name))
        for i, one in enumerate(_scattered(filled, stage.scatter, stage.where))
        for name in (f"{stage.name}_{i}",)
    ]


def _filled(value: Any, results: Mapping[str, Sequence[Any]]) -> Any:
    if isinstance(value, Reference):
        found = resolve(value, results)
        return [_Known(one) for one in found] if isinstance(found, list) else _Known(found)
    if isinstance(value, list):
        return [_filled(one, results) for one in value]
    return value


def _finished(value: Any, folder: Path) -> Any:
    """Plain values: ``{workdir}`` in what the workflow file itself says is the step's folder."""
    if isinstance(value, _Known):
        return value.value
    if isinstance(value, Mapping):
        return {key: _finished(one, folder) for key, one in value.items()}
    if isinstance(value, list):
        return [_finished(one, folder) for one in value]
    return plain_text(value, {"workdir": str(folder)}) if isinstance(value, str) else value


def _scattered(values: Mapping[str, Any], scatter: Scatter, where: str) -> Iterator[dict[str, Any]]:
    lists = []
    for name in scatter.parameters:
        value = values[name]
        if isinstance(value, _Known) and isinstance(value.value, Verbatim):
            value = [value]  # a preview, where the number of steps is not known
        if not isinstance(value, list):
            raise ExecutionError(f"{where}: {name} is to be scattered, and it is no list.")
        lists.append(_grouped(value, scatter))
    if scatter.method == "zip" and len({len(one) for one in lists}) > 1:
        sizes = ", ".join(
            f"{n} has {len(v)}" for n, v in zip(scatter.parameters, lists, strict=True)
        )
        raise ExecutionError(f"{where}: lists that are zipped must be equally long: {sizes}.")
    steps = math.prod(map(len, lists)) if scatter.method == "cartesian" else len(lists[0])
    if steps > _MOST:
        raise ExecutionError(f"{where}: it has {steps} steps; at most {_MOST} are run.")
    rows = zip(*lists, strict=True) if scatter.method == "zip" else itertools.product(*lists)
    for row in rows:
        yield {**values, **dict(zip(scatter.parameters, row, strict=True))}


def _grouped(values: list[Any], scatter: Scatter) -> list[Any]:
    if scatter.batch_size:
        size = scatter.batch_size
        return [values[i : i + size] for i in range(0, len(values), size)]
    if scatter.partitions:
        count, parts, end = min(scatter.partitions, len(values)), [], 0
        for i in range(count):  # sizes as yadage deals them out: the last ones are larger
            begin, end = end, end + (len(values) + i) // count
            parts.append(values[begin:end])
        return parts
    return values


def preview(stage: Stage) -> list[Any]:
    """What stands for the results of a stage that has not run."""
    return [Verbatim(f"<{stage.name}>", is_variable=False)]
