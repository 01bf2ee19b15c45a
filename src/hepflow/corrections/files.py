"""Open corrections of correctionlib files."""

from __future__ import annotations

import functools
import gzip
import io
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hepflow.corrections.content import check_content
from hepflow.corrections.evaluation import (
    LAST,
    OPERATIONS,
    AnyEvaluator,
    Compound,
    Evaluator,
    evaluate,
)
from hepflow.errors import ChecksumError, CorrectionError, StorageError, did_you_mean
from hepflow.storage import check_unchanged, parse_json, refuse_special

__all__ = ["evaluate", "open_correction"]

_LARGEST = 512 << 20  # [byte] of a file when decompressed
_BROKEN = (
    *(OSError, EOFError, RuntimeError, ValueError, KeyError, TypeError, StorageError),
    *(IndexError, AttributeError, OverflowError),
)


@dataclass(frozen=True)
class _Content:
    """What a file holds, by name."""

    version: Any  # of the schema
    corrections: Mapping[str, Any]
    compounds: Mapping[str, Any]


@functools.lru_cache(maxsize=512)  # jet energy uncertainties are some thirty corrections a year
def open_correction(file: str, key: str, digest: str) -> AnyEvaluator:
    """Open one correction of a file, which may be a compound one.

    Parameters
    ----------
    digest
        SHA-256 of the file; a changed file is opened anew, also in a worker that lives on.

    Raises
    ------
    CorrectionError
        If the file is missing, broken, or has no such correction.
    """
    path = Path(file)
    if not path.exists():
        raise CorrectionError(f"{file}: there is no such correction file.")
    try:
        state = path.stat()
        content = _content(file, digest, state.st_mtime_ns, state.st_size)
        if key in content.compounds:
            return _compound(file, key, content)
        return _single(file, key, content)
    except (ChecksumError, CorrectionError):
        raise
    except (*_BROKEN, zlib.error) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CorrectionError(f"{file}: not a correctionlib file ({first}).") from error


@functools.lru_cache(maxsize=4)  # files of which more corrections may be opened; some are large
def _content(file: str, digest: str, time: int, size: int) -> _Content:  # noqa: ARG001 - a changed file is read anew
    content = parse_json(_text_of(Path(file), digest), finite=False, repeated_keys=True)
    corrections = _by_name(content["corrections"])
    compounds = _by_name(content.get("compound_corrections") or ())
    if set(corrections) & set(compounds):
        raise ValueError("two corrections have the same name")
    return _Content(content["schema_version"], corrections, compounds)


def _single(file: str, key: str, content: _Content) -> Evaluator:
    """One correction.

    Raises
    ------
    CorrectionError
        The file has none of this name.
    """
    import correctionlib

    if key not in content.corrections:
        hint = did_you_mean(key, [*content.corrections, *content.compounds])
        raise CorrectionError(f"{file}: there is no correction {key!r}. {hint}")
    node = content.corrections[key]
    check_content(node)
    # This one alone, as it was read here: the library's reader may take another of two keys.
    one = json.dumps({"schema_version": content.version, "corrections": [node]})
    correction = correctionlib.CorrectionSet.from_string(one)[key]
    return Evaluator(file, key, correction, _inputs_of(node), node)


def _compound(file: str, key: str, content: _Content) -> Compound:
    """Steps of a compound correction, in their order.

    Raises
    ------
    ValueError
        It joins no step, or in a way that is not known, or a step reads what it does not have.
    """
    node = content.compounds[key]
    steps = tuple(_single(file, name, content) for name in node["stack"])
    inputs = _inputs_of(node)
    read = {one for step in steps for one in step.inputs} | {
        (name, "real") for name in node["inputs_update"]
    }
    known = node["input_op"] in OPERATIONS and node["output_op"] in {*OPERATIONS, LAST}
    if not steps or not read <= set(inputs) or not known:
        raise ValueError(f"the steps of {key!r} do not fit together")
    update = tuple(node["inputs_update"])
    return Compound(file, key, inputs, steps, update, node["input_op"], node["output_op"])


def _inputs_of(node: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((one["name"], one["type"]) for one in node["inputs"])


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
