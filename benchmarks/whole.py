"""Whether what runs have left in a folder is whole, and what they gave."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hepflow.errors import StorageError
from hepflow.histograms import read_histograms
from hepflow.keys import Key
from hepflow.stamps import read_key
from hepflow.storage import read_part, sha256_file

_PNG_END = b"IEND\xaeB`\x82"
# times; the executor; the run before, and a page with all that
_RECORDS_OF_RUNS = (
    *("report/rates.json", "config/invocation.json"),
    *("config/previous.json", "report/index.html"),
)
_SET_ASIDE = ("ledger", "losses", "problems", "remarks", "exit_status")  # without times


def broken_files(folder: Path) -> list[str]:
    """Files under their final names that are not whole, and why; temporaries do not count."""
    found = []
    for path in _files(folder):
        try:
            _read(path)
        except (StorageError, ValueError, KeyError, TypeError) as error:
            found.append(f"{path.relative_to(folder)}: {error}")
    return found


def leftovers(folder: Path) -> list[str]:
    """Temporaries, and whatever else lies where libraries put things that nobody needs."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    in_tmp = [path for path in files if path.relative_to(folder).parts[0] == "tmp"]
    return sorted(str(one.relative_to(folder)) for one in {*folder.rglob("*.tmp"), *in_tmp})


def _files(folder: Path) -> Iterator[Path]:
    for top in ("out", "cache"):
        for path in sorted((folder / top).rglob("*")):
            if path.is_file() and path.suffix != ".tmp":
                yield path


def _read(path: Path) -> None:
    """Read a file in full.

    Raises
    ------
    StorageError, ValueError, KeyError, TypeError
        If that is not possible.
    """
    if path.suffix == ".json":
        content = json.loads(path.read_text(encoding="utf-8"))
        if path.name.endswith("key.json"):
            Key.from_json(content["key"])
        if path.name == "manifest.json":
            _check_parts(path.parent, content)
    elif path.suffix == ".pkl":
        read_part(path)
    elif path.suffix == ".png" and not path.read_bytes().endswith(_PNG_END):
        raise ValueError("the picture does not end")


def _check_parts(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Check that parts are what the manifest says."""
    for part in manifest["parts"]:
        path = folder / part["name"]
        # A part that is not there any more is made anew; one with another content is not.
        if path.exists() and sha256_file(path) != part["sha256"]:
            raise ValueError(f"{path.name} is not the part that the manifest means")


def results(folder: Path) -> dict[str, Any]:
    """Everything that a run gave, by name: what two runs of the same must have in common."""
    out = folder / "out"
    found: dict[str, Any] = {}
    for path in sorted(out.rglob("*")):
        name = str(path.relative_to(out))
        if path.is_file() and _is_result(name):
            found[name] = _content(path)
    return found | _templates(out / "histograms" / "histograms.zip")


def _is_result(name: str) -> bool:
    """Whether a file is something else than a log, a temporary or a record of how it was run."""
    return not name.startswith("logs/") and not name.endswith((".tmp", *_RECORDS_OF_RUNS))


def _content(path: Path) -> Any:
    """Content of a file without the times in it."""
    if path.name == "run.json":
        report = json.loads(path.read_text(encoding="utf-8"))
        return {name: report[name] for name in _SET_ASIDE}
    if path.name == "resolved.json":
        config = json.loads(path.read_text(encoding="utf-8"))
        return {name: section for name, section in config.items() if name != "execution"}
    if path.name == "manifest.json":
        manifest = json.loads(path.read_text(encoding="utf-8"))
        return [manifest["key"], [{**one, "mtime_ns": 0} for one in manifest["parts"]]]
    if path.name.endswith("key.json"):
        key = read_key(path.parent, path.name)  # None where its files are not there in full size
        return key.digest if key else "a key without its files"
    if path.suffix in {".zip", ".root"} and path.parent.name == "histograms":
        return ""  # holds the time; values are compared
    return path.read_bytes()


def _templates(path: Path) -> dict[str, Any]:
    """Values and variances of all histograms, flow included, as bytes."""
    found = read_histograms(path)
    return {
        f"{channel}/{name}": np.asarray(found.hist(channel, name).view(flow=True)).tobytes()
        for channel in found.channels
        for name in found.observables(channel)
    }


def differences(found: Mapping[str, Any], reference: Mapping[str, Any]) -> list[str]:
    """What of the results is not what it should be."""
    names = sorted(found.keys() | reference.keys())
    return [
        name
        for name in names
        if name not in found or name not in reference or found[name] != reference[name]
    ]
