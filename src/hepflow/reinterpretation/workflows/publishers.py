"""What a finished step makes known to the steps after it."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hepflow.errors import ExecutionError, StorageError
from hepflow.reinterpretation.workflows.commands import Verbatim, plain_text
from hepflow.reinterpretation.workflows.specification import Publisher
from hepflow.storage import read_yaml


def published_names(publisher: Publisher) -> list[str] | None:
    """Names under which a publisher makes values known; None where only a run tells."""
    content = publisher.content
    if publisher.kind == "fromglob-pub":
        return [content["outputkey"]]
    if publisher.kind == "fromyaml-pub":
        return None
    found = content.get("outputmap", content.get("publish"))
    return [str(key) for key in found] if isinstance(found, Mapping) else None


def templates(publisher: Publisher) -> Iterator[tuple[str, str]]:
    """Texts of a publisher that hold placeholders, each with where it stands in it."""
    if publisher.kind == "interpolated-pub":
        yield from _texts(publisher.content["publish"], "publish")


def parameters_published(publisher: Publisher) -> Iterator[tuple[str, str]]:
    """Names of parameters whose values are published, each with where it stands."""
    if publisher.kind == "frompar-pub":
        yield from _texts(publisher.content["outputmap"], "outputmap")


def publish(publisher: Publisher, parameters: Mapping[str, Any], folder: Path) -> Any:
    """Return what a step publishes, paths absolute where the publisher makes them so.

    Parameters
    ----------
    publisher
        How.
    parameters
        Values of the step.
    folder
        In which the step ran.

    Raises
    ------
    ExecutionError
        A file in the step's folder is published and not there.
    """
    content = publisher.content
    if publisher.kind == "constant-pub":
        return content["publish"]
    if publisher.kind == "frompar-pub":
        found = _map(content["outputmap"], lambda name: parameters[name])
    elif publisher.kind == "fromglob-pub":
        found = {content["outputkey"]: _matches(os.path.join(folder, content["globexpression"]))}  # noqa: PTH118 - the pattern may be absolute
    elif publisher.kind == "fromyaml-pub":
        found = _from_yaml(folder / content["yamlfile"])
    else:
        found = _map(
            content["publish"], lambda text: _interpolated(text, content, parameters, folder)
        )
    _check_made(found, folder)
    _check_open(found)
    return found


def _check_open(found: Any) -> None:
    """What is published is written to files: no credential may be in it."""
    parts = found.values() if isinstance(found, Mapping) else found
    if isinstance(found, Mapping | list):
        for one in parts:
            _check_open(one)
    elif isinstance(found, Verbatim):
        raise ExecutionError(f"it publishes {found.text}, a credential. Take it from init instead.")


def _interpolated(
    text: str, content: Mapping[str, Any], parameters: Mapping[str, Any], folder: Path
) -> Any:
    value = plain_text(text, {**parameters, "workdir": str(folder)})
    path = os.path.join(folder, value) if content.get("relative_paths") else value  # noqa: PTH118 - an absolute path stays, and no slash at the end is lost
    return (_matches(path) or value) if content.get("glob") else path


def _matches(pattern: str) -> list[str]:
    return sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - the pattern may be absolute


def _from_yaml(path: Path) -> Any:
    try:
        return read_yaml(path)
    except StorageError as error:
        raise ExecutionError(f"what is to be published can't be read: {error}") from error


def _check_made(found: Any, folder: Path) -> None:
    """Make sure that what is published of the step's own folder is there."""
    for _, text in _texts(found, ""):
        path = Path(text)
        if path.is_absolute() and path.is_relative_to(folder) and not path.exists():
            held = sorted(one.name for one in folder.iterdir())
            raise ExecutionError(
                f"it finished but did not make {path.relative_to(folder)}, which it publishes. "
                f"Its folder holds: {', '.join(held[:8]) or 'nothing'}."
            )


def _map(tree: Any, change: Any) -> Any:
    if isinstance(tree, Mapping):
        return {key: _map(one, change) for key, one in tree.items()}
    if isinstance(tree, list):
        return [_map(one, change) for one in tree]
    return change(tree) if isinstance(tree, str) else tree


def _texts(tree: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(tree, Mapping):
        for key, one in tree.items():
            yield from _texts(one, f"{path}.{key}")
    elif isinstance(tree, list):
        for index, one in enumerate(tree):
            yield from _texts(one, f"{path}[{index}]")
    elif isinstance(tree, str):
        yield path, tree
