"""Evaluate one correction of a file within its domain, also one of several steps."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.corrections.box import Box, box_of
from hepflow.corrections.domain import (
    Limits,
    Positions,
    Values,
    limits_of,
    nodes_with_limits,
    with_clamped_flow,
)
from hepflow.errors import CorrectionError, did_you_mean

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Evaluator:
    """One correction of a file, with what it says about its inputs."""

    file: str
    key: str
    correction: Any  # correctionlib.highlevel.Correction
    inputs: tuple[tuple[str, str], ...]  # (name, type) in order
    content: Mapping[str, Any]  # the JSON node of the correction
    _rules: dict[int, Any] = field(default_factory=dict, repr=False, compare=False)
    _boxes: dict[Any, Box] = field(default_factory=dict, repr=False, compare=False)

    @property
    def text_positions(self) -> tuple[int, ...]:
        """Positions of inputs that are strings."""
        return tuple(i for i, (_, kind) in enumerate(self.inputs) if kind == "string")

    @functools.cached_property
    def with_limits(self) -> frozenset[int]:
        """Identities of the nodes that limit the inputs."""
        return nodes_with_limits(self.content["data"], dict(self.inputs))

    @functools.cached_property
    def clamped(self) -> Any:
        """The correction with the edges' values beyond its edges."""
        return self._variant(with_clamped_flow(self.content["data"]))

    def box(self, values: Values) -> Box:
        """Range of the inputs, of which these are strings, that is in the domain anyway."""
        texts = {name: one for name, one in values.items() if isinstance(one, str)}
        place = tuple(texts.items())
        if place not in self._boxes:
            self._boxes[place] = box_of(self.content["data"], texts)
        return self._boxes[place]

    def rule(self, node: Any, values: Values, at: Positions) -> Floats:
        """Evaluate the rule of a transform for the objects at the positions `at`."""
        if id(node) not in self._rules:  # the nodes live as long as this evaluator
            self._rules[id(node)] = self._variant(with_clamped_flow(node))
        found = _call(self, self._rules[id(node)], self._at(values, at))
        return np.broadcast_to(found, at.shape)

    def _at(self, values: Values, at: Positions) -> list[Any]:
        """Inputs in the file's order, at some positions."""
        chosen = [values[name] for name, _ in self.inputs]
        numbers = [one if isinstance(one, str) else one[at] for one in chosen]
        return _typed(self, numbers)

    def _variant(self, data: Any) -> Any:
        """The same correction with another content."""
        import correctionlib

        one = {**self.content, "data": data}
        text = json.dumps({"schema_version": 2, "corrections": [one]})
        return correctionlib.CorrectionSet.from_string(text)[self.key]


@dataclass(frozen=True)
class Compound:
    """Several corrections of a file one after the other, each on what the one before it left."""

    file: str
    key: str
    inputs: tuple[tuple[str, str], ...]  # (name, type) in order
    steps: tuple[Evaluator, ...]
    updates: tuple[str, ...]  # inputs that each step changes for those that follow
    input_op: str  # how it changes them: "*", "/", "+" or "-"
    output_op: str  # how the steps' values are joined; or "last"

    @property
    def text_positions(self) -> tuple[int, ...]:
        """Positions of inputs that are strings."""
        return tuple(i for i, (_, kind) in enumerate(self.inputs) if kind == "string")


AnyEvaluator = Evaluator | Compound
OPERATIONS: Mapping[str, Any] = {
    "*": np.multiply,
    "/": np.divide,
    "+": np.add,
    "-": np.subtract,
}
LAST = "last"  # the joined value is that of the last step


def evaluate(
    evaluator: AnyEvaluator,
    inputs: Sequence[Any],
    systematic: str | None,
    out_of_range: str,
    beyond: float = 1.0,
    *,
    of_source: bool = False,
) -> Floats:
    """Evaluate on flat inputs, each of shape (n,).

    Parameters
    ----------
    inputs
        Numeric arrays, and plain strings, in the order of the file's inputs; the string for
        `systematic` is left out and put where the file has its string input.
    out_of_range
        ``error``, ``clamp`` or ``one``.
    beyond
        Value outside the domain with ``one``: 1 for a factor, 0 for a difference.
    of_source
        Whether this is the value of a source of uncertainty, which can be for some objects only.

    Raises
    ------
    CorrectionError
        If inputs do not fit the file or lie outside the domain.
    """
    arguments = _same_length(evaluator, _place_systematic(evaluator, list(inputs), systematic))
    _check_texts(evaluator, arguments)
    names = [name for name, _ in evaluator.inputs]
    values: dict[str, Any] = dict(zip(names, arguments, strict=True))
    if isinstance(evaluator, Compound):
        found, outside = _in_steps(evaluator, values, out_of_range, of_source)
    else:
        found, outside = _in_domain(evaluator, values, out_of_range, of_source)
    return np.where(outside, beyond, found) if out_of_range == "one" and outside.any() else found


def _in_domain(
    evaluator: Evaluator, values: dict[str, Any], out_of_range: str, of_source: bool
) -> tuple[Floats, NDArray[np.bool_]]:
    """Values of one correction, and which objects are outside of its domain."""
    names = [name for name, _ in evaluator.inputs]
    length = max((len(one) for one in values.values() if not isinstance(one, str)), default=0)
    at = evaluator.box(values).outside(values, length)
    wrong = _beyond(evaluator, values, at) if len(at) else []
    values, outside = dict(values), np.zeros(length, dtype=np.bool_)
    for one in wrong:
        if out_of_range == "clamp":
            _check_numbers(evaluator, one, length)
        if out_of_range == "error" or (out_of_range == "clamp" and one.unknown.any()):
            raise _out_of_domain(evaluator, one, length, of_source)
        outside[at] |= one.beyond
        if not one.transformed:
            values[one.name] = values[one.name].copy()
            values[one.name][at] = one.inside()
    function = evaluator.clamped if wrong else evaluator.correction
    found = _call(evaluator, function, _typed(evaluator, [values[name] for name in names]))
    return found, outside


def _check_numbers(evaluator: Evaluator, limits: Limits, total: int) -> None:
    """What is not a number is nearest to none of the domain.

    Raises
    ------
    CorrectionError
        If a value of an input is not a number.
    """
    lost = int(np.isnan(limits.values).sum())
    if lost:
        raise CorrectionError(
            f"correction {evaluator.key!r} of {evaluator.file}: input {limits.name!r} is not a "
            f"number in {lost} of {total} places, which have no nearest value in its domain. Fill "
            "them (transform_in), restrict the selection, or set out_of_range to 'one'."
        )


def _beyond(evaluator: Evaluator, values: Values, at: Positions) -> list[Limits]:
    """Limits that some of the objects at the positions `at` do not keep."""
    some = {name: one if isinstance(one, str) else one[at] for name, one in values.items()}
    content, relevant = evaluator.content["data"], evaluator.with_limits
    limits = limits_of(content, some, len(at), evaluator.rule, relevant)
    return [one for one in limits if one.beyond.any()]


def _in_steps(
    compound: Compound, values: dict[str, Any], out_of_range: str, of_source: bool
) -> tuple[Floats, NDArray[np.bool_]]:
    """Joined value of all steps; each step has a domain of its own, for what it gets."""
    joined: Any = None
    outside: Any = False
    for step in compound.steps:
        mine = {name: values[name] for name, _ in step.inputs}
        try:
            found, gone = _in_domain(step, mine, out_of_range, of_source)
        except CorrectionError as error:
            error.add_note(f"It is a step of {compound.key!r}.")
            raise
        last = joined is None or compound.output_op == LAST
        joined = found if last else OPERATIONS[compound.output_op](joined, found)
        for name in compound.updates:
            values[name] = OPERATIONS[compound.input_op](values[name], found)
        outside = outside | gone
    return np.asarray(joined), np.asarray(outside)


def _same_length(evaluator: AnyEvaluator, arguments: Sequence[Any]) -> list[Any]:
    """Numbers as arrays of one length; a single number stands for all."""
    ready = [
        one if isinstance(one, str) else np.atleast_1d(np.asarray(one, np.float64))
        for one in arguments
    ]
    numbers = [one for one in ready if not isinstance(one, str)]
    try:
        shape = np.broadcast_shapes(*(one.shape for one in numbers))
    except ValueError:
        lengths = ", ".join(str(len(one)) for one in numbers)
        raise CorrectionError(
            f"correction {evaluator.key!r} of {evaluator.file}: its inputs differ in length "
            f"({lengths})."
        ) from None
    return [one if isinstance(one, str) else np.broadcast_to(one, shape) for one in ready]


def _check_texts(evaluator: AnyEvaluator, arguments: Sequence[Any]) -> None:
    """Texts stand where the file wants texts, and nowhere else."""
    for (name, kind), one in zip(evaluator.inputs, arguments, strict=True):
        if isinstance(one, str) != (kind == "string"):
            found = repr(one) if isinstance(one, str) else "numbers"
            raise CorrectionError(
                f"correction {evaluator.key!r} of {evaluator.file}: input {name!r} is of type "
                f"{kind}, but got {found}. Check the order of the inputs."
            )


def _typed(evaluator: Evaluator, arguments: Sequence[Any]) -> list[Any]:
    """Whole numbers where the file wants them."""
    return [
        one.astype(np.int64) if kind == "int" else one
        for one, (_, kind) in zip(arguments, evaluator.inputs, strict=True)
    ]


def _call(evaluator: Evaluator, function: Any, arguments: Sequence[Any]) -> Floats:
    try:
        return np.asarray(function.evaluate(*arguments), dtype=np.float64)
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        given = {
            name: one
            for (name, _), one in zip(evaluator.inputs, arguments, strict=True)
            if isinstance(one, str)
        }
        shown = ", ".join(f"{name}={text!r}" for name, text in given.items())
        hints = "".join(_known_text(evaluator, name, text) for name, text in given.items())
        raise CorrectionError(
            f"correction {evaluator.key!r} of {evaluator.file}{f' with {shown}' if shown else ''}: "
            f"{first}.{hints}"
        ) from error


def _known_text(evaluator: Evaluator, name: str, text: str) -> str:
    """Say what the file knows of a string input, where it does not know this one."""
    keys = _keys_of(evaluator.content["data"], name)
    return (
        "" if text in keys or not keys else f" The file has no {text!r}. {did_you_mean(text, keys)}"
    )


def _keys_of(node: Any, name: str) -> set[str]:
    """Keys of the categories of an input, anywhere in the content."""
    if isinstance(node, Mapping):
        found = set().union(*(_keys_of(one, name) for one in node.values()))
        if node.get("nodetype") == "category" and node["input"] == name:
            found |= {str(one["key"]) for one in node["content"]}
        return found
    return set().union(*(_keys_of(one, name) for one in node)) if isinstance(node, list) else set()


def _out_of_domain(
    evaluator: Evaluator, limits: Limits, total: int, of_source: bool
) -> CorrectionError:
    key, file, what = evaluator.key, evaluator.file, limits.describe(total)
    if limits.unknown.any() and of_source and not limits.transformed:
        keys = ", ".join(map(str, limits.keys))  # a value of 1 would not be the nominal one
        return CorrectionError(
            f"correction {key!r} of {file}: {what}. The source is not for all objects: give it (in "
            f'uncertainty_sources) accepts: {{"{limits.name}": [{keys}]}}, and the others read '
            "nominal."
        )
    ways = "'one'" if limits.unknown.any() else "'clamp' or 'one'"
    return CorrectionError(
        f"correction {key!r} of {file}: {what}. Restrict the selection, or set out_of_range to "
        f"{ways}."
    )


def _place_systematic(
    evaluator: AnyEvaluator, arguments: list[Any], systematic: str | None
) -> list[Any]:
    expected = len(evaluator.inputs)
    if systematic is not None:
        if len(evaluator.text_positions) != 1:
            raise CorrectionError(
                f"correction {evaluator.key!r} of {evaluator.file} has "
                f"{len(evaluator.text_positions)} string inputs; expected exactly one for "
                f"{systematic!r}."
            )
        arguments.insert(evaluator.text_positions[0], systematic)
    if len(arguments) != expected:
        names = ", ".join(name for name, _ in evaluator.inputs)
        missing = "" if systematic is not None else " Is `nominal_idx` missing?"
        raise CorrectionError(
            f"correction {evaluator.key!r} of {evaluator.file} takes {expected} inputs ({names}), "
            f"got {len(arguments)}.{missing}"
        )
    return arguments
