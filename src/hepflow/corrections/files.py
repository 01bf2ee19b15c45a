"""Open corrections of correctionlib files, and evaluate them within their domain."""

from __future__ import annotations

import functools
import gzip
import io
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.corrections.content import check_content
from hepflow.corrections.domain import (
    Limits,
    Positions,
    Values,
    limits_of,
    nodes_with_limits,
    with_clamped_flow,
)
from hepflow.errors import ChecksumError, CorrectionError, StorageError, did_you_mean
from hepflow.storage import check_unchanged, parse_json, refuse_special

Floats = NDArray[np.float64]
_LARGEST = 512 << 20  # [byte] of a file when decompressed
_BROKEN = (
    *(OSError, EOFError, RuntimeError, ValueError, KeyError, TypeError, StorageError),
    *(IndexError, AttributeError, OverflowError),
)


@dataclass(frozen=True)
class Evaluator:
    """One correction of a file, with what it says about its inputs."""

    file: str
    key: str
    correction: Any  # correctionlib.highlevel.Correction
    inputs: tuple[tuple[str, str], ...]  # (name, type) in order
    content: Mapping[str, Any]  # the JSON node of the correction
    _rules: dict[int, Any] = field(default_factory=dict, repr=False, compare=False)

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


@functools.lru_cache(maxsize=64)
def open_correction(file: str, key: str, digest: str) -> Evaluator:
    """Open one correction of a file.

    Parameters
    ----------
    digest
        SHA-256 of the file; a changed file is opened anew, also in a worker that lives on.

    Raises
    ------
    CorrectionError
        If the file is missing, broken, or has no such correction.
    """
    import correctionlib

    path = Path(file)
    if not path.exists():
        raise CorrectionError(f"{file}: there is no such correction file.")
    try:
        content = parse_json(_text_of(path, digest), finite=False, repeated_keys=True)
        nodes = _by_name(content["corrections"])
        if key not in nodes:
            hint = did_you_mean(key, nodes)
            raise CorrectionError(f"{file}: there is no correction {key!r}. {hint}")
        node = nodes[key]
        check_content(node)
        # This one alone, as it was read here: the library's reader may take another of two keys.
        one = json.dumps({"schema_version": content["schema_version"], "corrections": [node]})
        correction = correctionlib.CorrectionSet.from_string(one)[key]
        inputs = tuple((one["name"], one["type"]) for one in node["inputs"])
    except ChecksumError:
        raise
    except (*_BROKEN, zlib.error) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CorrectionError(f"{file}: not a correctionlib file ({first}).") from error
    return Evaluator(file, key, correction, inputs, node)


def _by_name(nodes: Any) -> dict[str, Any]:
    """Corrections by name.

    Raises
    ------
    ValueError
        Two have the same.
    """
    found = {one["name"]: one for one in nodes}
    if len(found) < len(nodes):
        raise ValueError("two corrections have the same name")
    return found


def _text_of(path: Path, digest: str) -> str:
    """Content of a file, decompressed up to a limit: a small file may hold a lot.

    Raises
    ------
    ValueError
        It is larger, or no text.
    UnsafeContent
        It is no file.
    ChecksumError
        It is another one than the run began with.
    """
    refuse_special(path)
    with path.open("rb") as file:
        content = file.read(_LARGEST + 1)
    check_unchanged(content, digest, str(path))
    if path.suffix == ".gz":
        content = gzip.GzipFile(fileobj=io.BytesIO(content)).read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise ValueError(f"it holds more than {_LARGEST >> 20} MiB")
    return content.decode("utf-8")


def evaluate(
    evaluator: Evaluator, inputs: Sequence[Any], systematic: str | None, out_of_range: str
) -> Floats:
    """Evaluate on flat inputs, each of shape (n,).

    Parameters
    ----------
    inputs
        Numeric arrays, and plain strings, in the order of the file's inputs; the string for
        `systematic` is left out and put where the file has its string input.
    out_of_range
        ``error``, ``clamp`` or ``one``.

    Raises
    ------
    CorrectionError
        If inputs do not fit the file or lie outside the domain.
    """
    arguments = _same_length(evaluator, _place_systematic(evaluator, list(inputs), systematic))
    names = [name for name, _ in evaluator.inputs]
    values: dict[str, Any] = dict(zip(names, arguments, strict=True))
    length = max((len(one) for one in arguments if not isinstance(one, str)), default=0)
    limits = limits_of(
        evaluator.content["data"], values, length, evaluator.rule, evaluator.with_limits
    )
    wrong = [one for one in limits if one.beyond.any()]
    for one in wrong:
        if out_of_range == "error" or (out_of_range == "clamp" and one.unknown.any()):
            raise CorrectionError(_out_of_domain(evaluator, one, out_of_range))
        if not one.transformed:
            values[one.name] = one.inside()
    function = evaluator.clamped if wrong else evaluator.correction
    found = _call(evaluator, function, _typed(evaluator, [values[name] for name in names]))
    if wrong and out_of_range == "one":
        found = np.where(np.any([one.beyond for one in wrong], axis=0), 1.0, found)
    return found


def _same_length(evaluator: Evaluator, arguments: Sequence[Any]) -> list[Any]:
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


def _out_of_domain(evaluator: Evaluator, limits: Limits, out_of_range: str) -> str:
    ways = "'one'" if out_of_range == "clamp" else "'clamp' or 'one'"
    return (
        f"correction {evaluator.key!r} of {evaluator.file}: {limits.describe()}. Restrict the "
        f"selection, or set out_of_range to {ways}."
    )


def _place_systematic(
    evaluator: Evaluator, arguments: list[Any], systematic: str | None
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
