"""Read the three JSON files back: whoever wrote them, what they say has the right shape."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hepflow.errors import StorageError
from hepflow.metadata_extractor.shapes import Summary, workitem_from_json
from hepflow.records import Loss, WorkItem
from hepflow.storage import as_record, read_json

MADE_BY = "metadata generation (general.run_metadata_generation)"


def read_fileset(path: Path) -> dict[str, Any]:
    """Read ``fileset.json``.

    Raises
    ------
    StorageError
        It is not what the metadata step writes.
    """
    content = read_json(path, MADE_BY)
    for key, one in _mapping(content, str(path)).items():
        where = f"{path}, {key}"
        entry = _mapping(one, where)
        files = _mapping(entry.get("files"), f"{where}.files")
        metadata = _mapping(entry.get("metadata"), f"{where}.metadata")
        if not all(tree is None or isinstance(tree, str) for tree in files.values()):
            raise _wrong(f"{where}.files", "a tree is no text")
        if not isinstance(metadata.get("n_files", 0), int):
            raise _wrong(f"{where}.metadata", "n_files is no whole number")
        for i, loss in enumerate(_list(metadata.get("lost", []), f"{where}.metadata.lost")):
            as_record(Loss, loss, f"{where}.metadata.lost[{i}]")
    return dict(content)


def read_workitems(path: Path) -> list[WorkItem]:
    """Read ``workitems.json``.

    Raises
    ------
    StorageError
        It is not what the metadata step writes, or an entry range makes no sense.
    """
    items = _list(read_json(path, MADE_BY), str(path))
    found = []
    for i, one in enumerate(items):
        try:
            found.append(workitem_from_json(one))
        except StorageError as error:
            raise _wrong(f"{path}, entry {i}", str(error)) from error
    return found


def read_summary(path: Path) -> Summary:
    """Read ``nanoaods.json``.

    Raises
    ------
    StorageError
        It is not what the metadata step writes.
    """
    content = read_json(path, MADE_BY)
    for process, variations in _mapping(content, str(path)).items():
        for variation, one in _mapping(variations, f"{path}, {process}").items():
            where = f"{path}, {process}.{variation}"
            for file in _list(_mapping(one, where).get("files"), f"{where}.files"):
                _check_file(_mapping(file, f"{where}.files"), f"{where}.files")
    return dict(content)


def _check_file(file: Mapping[str, Any], where: str) -> None:
    texts = all(isinstance(file.get(name), str) for name in ("path", "dataset"))
    events, weights = file.get("nevts"), file.get("sum_weights")
    if not texts or type(events) is not int or type(weights) not in {int, float} or events < 0:
        raise _wrong(where, "a file has no path, dataset, nevts or sum_weights of its type")


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _wrong(where, f"it is a {type(value).__name__} instead of a mapping")
    return value


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise _wrong(where, f"it is a {type(value).__name__} instead of a list")
    return value


def _wrong(where: str, what: str) -> StorageError:
    return StorageError(f"{where}: {what}. Repeat {MADE_BY}.")
