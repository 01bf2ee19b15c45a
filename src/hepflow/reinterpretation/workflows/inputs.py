"""Values handed to a workflow: from files and the command line, names of files made absolute."""

from __future__ import annotations

import glob
import json
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from hepflow.errors import InputError, Problem, StorageError
from hepflow.reinterpretation.workflows import secrets
from hepflow.storage import read_yaml

COMMAND_LINE: Final = "--set"
_MAGIC: Final = re.compile(r"[*?\[]")
_FILE_LIKE: Final = re.compile(
    r"(?:\.{0,2}/)?[^\s:;|<>]+\.(?:root|json|ya?ml|csv|txt|dat|h5|hdf5|parquet|pkl|npz|lhe|hepmc"
    r"|py|sh|C|cfg|ini|toml|xml|zip|tar|t?gz)"
    r"|\.{0,2}/[^\s:;|<>]+",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the workflow knows as ``init``."""

    values: Mapping[str, Any]
    folder: Path  # names of files are relative to it
    origin: Mapping[str, str] = field(default_factory=dict)  # file that gave each, for messages
    credentials: tuple[str, ...] = ()  # references, such as "env:NAME"
    missing: Mapping[str, str] = field(default_factory=dict)  # look like files, and are not there


def read_inputs(
    files: Sequence[str | Path],
    settings: Mapping[str, str],
    folder: str | Path,
    problems: list[Problem],
) -> Inputs:
    """Read inputs; later files count more, and the settings most.

    Parameters
    ----------
    files
        YAML files, each a mapping of names to values.
    settings
        Values by name, as on the command line: JSON, or else a text.
    folder
        In which the files lie that values name: the name of one becomes its path, and a pattern
        the list of what matches.
    problems
        Takes what is wrong.
    """
    values: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for file in map(Path, files):
        found = _mapping(file, problems)
        values.update(found)
        origin.update(dict.fromkeys(found, f"{file.name}: "))
    for name, text in settings.items():
        values[name] = _setting(text)
        origin[name] = f"{COMMAND_LINE} "
    folder = Path(folder).absolute()
    if not folder.is_dir():
        problems.append(Problem("--initdir", f"{folder} is not a folder."))
    ready: dict[str, Any] = {}
    for name, value in values.items():
        try:
            ready[name] = _ready(name, value, folder)
        except InputError as error:
            problems.append(Problem(f"{origin[name]}{name}", str(error)))
    references = {name: secrets.references(name, value) for name, value in values.items()}
    missing = {
        name: one
        for name, value in ready.items()
        if not references[name]
        for one in _missing(value)
    }
    return Inputs(
        ready, folder, origin, tuple(one for found in references.values() for one in found), missing
    )


def _mapping(file: Path, problems: list[Problem]) -> dict[str, Any]:
    try:
        found = read_yaml(file)
    except StorageError as error:
        problems.append(Problem(file.name, str(error)))
        return {}
    if not isinstance(found, dict | None):
        problems.append(Problem(file.name, "a mapping of names to values is expected in it."))
        return {}
    return {str(key): value for key, value in (found or {}).items()}


def _setting(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _ready(name: str, value: Any, folder: Path) -> Any:
    """A value as steps get it."""
    refused = secrets.refusal(name, value)
    if refused is not None:
        raise InputError(f"{refused}. {secrets.remedy()}")
    return _discovered(name, value, folder)


def _discovered(name: str, value: Any, folder: Path) -> Any:
    if isinstance(value, Mapping):
        return {key: _discovered(str(key), one, folder) for key, one in value.items()}
    if isinstance(value, list):
        return [_discovered(name, one, folder) for one in value]
    if isinstance(value, str):
        return _text(name, value, folder)
    # A date of YAML is the text that was written; JSON has no other types.
    return value if isinstance(value, int | float | None) else str(value)


def _text(name: str, value: str, folder: Path) -> Any:
    if secrets.is_reference(name, value):
        return secrets.followed(value)
    if not value or "\0" in value:
        return value
    path = os.path.join(folder, value)  # noqa: PTH118 - a slash at the end stays
    if os.path.exists(path):  # noqa: PTH110 - Path.exists raises for a long text
        return path
    return (_MAGIC.search(value) and sorted(glob.glob(path, recursive=True))) or value  # noqa: PTH207 - the pattern may be absolute


def _missing(value: Any) -> Iterator[str]:
    parts: Collection[Any] = value.values() if isinstance(value, Mapping) else value
    if isinstance(value, Mapping | list):
        for one in parts:
            yield from _missing(one)
    elif isinstance(value, str) and _FILE_LIKE.fullmatch(value) and not os.path.exists(value):  # noqa: PTH110 - as above
        yield value
