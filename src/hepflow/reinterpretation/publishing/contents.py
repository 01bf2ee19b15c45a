"""What a published likelihood holds: workspaces, patch sets, and whether they fit each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hepflow.errors import HepflowError
from hepflow.storage import read_json

_WORKSPACE: Final = {"channels", "observations", "measurements"}
_PATCH_SET: Final = {"patches", "metadata"}
_HASHES: Final = ("sha256", "md5")  # that pyhf writes


@dataclass(frozen=True)
class Content:
    """One file of it."""

    file: str  # below the folder
    kind: str  # "workspace", "patch set", "patch", "file"
    text: str  # for people
    problem: str = ""  # why it cannot be used as what it is

    def to_json(self) -> dict[str, str]:
        """Plain containers for JSON."""
        return {"file": self.file, "kind": self.kind, "text": self.text, "problem": self.problem}


def look(folder: Path, files: Sequence[Path]) -> tuple[Content, ...]:
    """Look at all files; workspaces are read, and patch sets compared with them by digest.

    Parameters
    ----------
    folder : Path
    files : sequence of Path
        Below it.
    """
    from hepflow.statistics.patches import digest

    read = {path: _json(path) for path in files if path.suffix.lower() == ".json"}
    workspaces = {path: one for path, one in read.items() if _has(one, _WORKSPACE)}
    digests = {
        digest(one, kind): path.relative_to(folder).as_posix()
        for kind in _HASHES
        for path, one in workspaces.items()
    }
    return tuple(_content(path, folder, read.get(path), digests) for path in files)


def _json(path: Path) -> Any:
    """The content, or the error that it is none."""
    try:
        return read_json(path, "its author")
    except HepflowError as error:
        return error


def _has(content: Any, keys: set[str]) -> bool:
    return isinstance(content, dict) and keys <= content.keys()


def _content(path: Path, folder: Path, content: Any, digests: Mapping[str, str]) -> Content:
    file = path.relative_to(folder).as_posix()
    if isinstance(content, HepflowError):
        return Content(file, "file", "", str(content))
    if _has(content, _WORKSPACE):
        return _workspace(path, file)
    if _has(content, _PATCH_SET):
        return _patch_set(content, file, digests)
    if isinstance(content, list) and content and all(_has(one, {"op", "path"}) for one in content):
        return Content(file, "patch", f"{len(content)} operations")
    return Content(file, "file", f"{path.stat().st_size} bytes")


def _workspace(path: Path, file: str) -> Content:
    from hepflow.statistics.source import read_workspace

    try:
        found = read_workspace(path)
        samples = {one["name"] for channel in found["channels"] for one in channel["samples"]}
        pois = dict.fromkeys(str(one["config"]["poi"]) for one in found["measurements"])
    except HepflowError as error:
        return Content(file, "workspace", "", str(error))
    except (KeyError, TypeError) as error:
        return Content(file, "workspace", "", f"it is not whole ({type(error).__name__}: {error})")
    text = f"{len(found['channels'])} channels, {len(samples)} samples, POI {', '.join(pois)}"
    return Content(file, "workspace", text)


def _patch_set(content: Mapping[str, Any], file: str, digests: Mapping[str, str]) -> Content:
    import pyhf

    try:
        found = pyhf.PatchSet(content)
    except (pyhf.exceptions.InvalidSpecification, pyhf.exceptions.InvalidPatchSet) as error:
        return Content(file, "patch set", "", f"pyhf refuses it: {str(error).splitlines()[0]}")
    text = f"{len(found)} patches by {', '.join(found.labels)}"
    names = {digests.get(stated.lower()) for stated in found.digests.values()}
    name = names.pop()
    if name is not None and not names:  # one workspace has all digests
        return Content(file, "patch set", f"{text}, for {name}")
    problem = "its digests are those of no workspace in here: it was made for another one"
    return Content(file, "patch set", text, problem)
