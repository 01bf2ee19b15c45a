"""Several signals in one file: name, files, cross-section and parameters of each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from hepflow.errors import InputError, did_you_mean
from hepflow.reinterpretation.quantities import cross_section
from hepflow.reinterpretation.signals import SUMS_OF_WEIGHTS, Signal, check_distinct
from hepflow.remote import is_remote
from hepflow.storage import read_json, read_yaml

_KEYS: Final = (
    *("name", "files", "cross-section", "k-factor", "filter-efficiency", "values", "process"),
    *("sum-of-weights-from", "tree", "branch-map", "theory"),
)
_NEEDED: Final = ("name", "files", "cross-section")


def read_points(path: str | Path) -> tuple[Signal, ...]:
    """Read signals from YAML or JSON.

    Parameters
    ----------
    path
        A list, or a mapping with the list under ``points``. Each entry has ``name``, ``files``
        (one, a list, or a mapping year -> list; relative to the folder of the file),
        ``cross-section`` (with its unit), ``values`` (``{m: 2000}``), and where wanted
        ``k-factor``, ``filter-efficiency``, ``sum-of-weights-from``, ``tree``, ``branch-map``,
        ``process`` and ``theory`` (predicted cross-section, with its unit).

    Returns
    -------
    tuple of Signal

    Raises
    ------
    InputError
        Something is missing, unknown, or of another type; the message names the entry.
    StorageError
        The file cannot be read.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError(f"{file} does not exist. Expected YAML or JSON with a list of points.")
    content = read_json(file, "you") if file.suffix == ".json" else read_yaml(file)
    rows = content.get("points") if isinstance(content, dict) else content
    if not isinstance(rows, list) or not rows:
        raise InputError(f"{file} has no list of points. Expected `points:` with one entry each.")
    signals = tuple(_signal(one, f"{file}: points[{i}]", file.parent) for i, one in enumerate(rows))
    check_distinct(signals)
    return signals


def _signal(row: Any, where: str, folder: Path) -> Signal:
    if not isinstance(row, dict):
        raise InputError(f"{where} is {row!r}; expected {', '.join(_NEEDED)}, values.")
    entry = {str(key).replace("_", "-"): value for key, value in row.items()}
    for key in entry:
        if key not in _KEYS:
            raise InputError(f"{where} has an unknown key {key!r}. {did_you_mean(key, _KEYS)}")
    for key in _NEEDED:
        if entry.get(key) is None:
            raise InputError(f"{where} has no {key!r}. Each point needs {', '.join(_NEEDED)}.")
    try:
        return _checked(entry, where, folder)
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{where} is not as expected: {error}.") from error


def _checked(entry: Mapping[str, Any], where: str, folder: Path) -> Signal:
    source = entry.get("sum-of-weights-from", "auto")
    if source not in SUMS_OF_WEIGHTS:
        raise InputError(f"{where}: sum-of-weights-from {source!r}; expected auto, events or runs.")
    theory = entry.get("theory")
    return Signal(
        name=str(entry["name"]),
        files=_files(entry["files"], folder),
        cross_section=_size(entry["cross-section"], where),
        k_factor=float(entry.get("k-factor", 1.0)),
        filter_efficiency=float(entry.get("filter-efficiency", 1.0)),
        values={str(key): float(one) for key, one in dict(entry.get("values", {})).items()},
        process=str(entry.get("process", "")),
        sum_of_weights=source,
        tree=entry.get("tree"),
        branch_map=dict(entry.get("branch-map", {})),
        theory=None if theory is None else _size(theory, where),
    )


def _size(text: Any, where: str) -> float:
    try:
        return cross_section(str(text))
    except InputError as error:
        error.add_note(f"It stands at {where}.")
        raise


def _files(given: Any, folder: Path) -> dict[str, tuple[str, ...]]:
    by_year = given if isinstance(given, dict) else {"": given}
    found: dict[str, tuple[str, ...]] = {}
    for year, files in by_year.items():
        names = [files] if isinstance(files, str) else [str(one) for one in files]
        if not names:
            raise ValueError("`files` is empty")
        found[str(year)] = tuple(one if is_remote(one) else str(folder / one) for one in names)
    return found
