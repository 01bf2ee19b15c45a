"""Files that a configuration names: taken along by their content, and named again in the copy."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from hepflow.storage import sha256_bytes

_SHORT: Final = 12  # digits of a digest in the name of a file
# What belongs to a machine, not to the analysis.
_MACHINE: Final[Mapping[str, Mapping[str, Any]]] = {
    "general": {
        "output_dir": "outputs",
        "cache_dir": None,
        "metadata_dir": None,
        "skimmed_dir": None,
    },
    "datasets": {"prepare": None},
    "execution": {"backend": "loky", "workers": None, "scheduler": None},
}


@dataclass
class NamedFiles:
    """Files that a configuration names."""

    contents: dict[str, bytes] = field(default_factory=dict)  # name in the bundle -> content
    names: dict[str, str] = field(default_factory=dict)  # path in the configuration -> name
    problems: list[str] = field(default_factory=list)


def named_files(config: Mapping[str, Any], base: Path, digests: Mapping[str, str]) -> NamedFiles:
    """Read the files that a stored configuration names, input data aside.

    Parameters
    ----------
    config
        ``config/resolved.json``.
    base
        Folder that the run was started in.
    digests
        SHA-256 of the files when they were read, by their path as configured.
    """
    found = NamedFiles()
    for path, folder, file in _places(config):
        place = base / Path(file)
        if not place.is_file():
            # Corrections of a year without datasets need not be there.
            if file in digests or folder != "corrections":
                found.problems.append(f"{path}: there is no file {place} any more")
            continue
        content = place.read_bytes()
        digest = sha256_bytes(content)
        if digests.get(file, digest) != digest:
            found.problems.append(f"{path}: {place} has changed since the run")
            continue
        name = f"{folder}/{digest[:_SHORT]}-{place.name}"
        found.contents[name] = content
        found.names[path] = name
    return found


def _places(config: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Path in the configuration, folder in the bundle and file."""
    corrections = config.get("corrections") or []
    by_year = corrections if isinstance(corrections, dict) else {"": corrections}
    for year, entries in by_year.items():
        where = f"corrections.{year}" if year else "corrections"
        for i, one in enumerate(entries):
            if one.get("file"):
                yield f"{where}[{i}].file", "corrections", one["file"]
    general = config["general"]
    if general.get("lumifile"):
        yield "general.lumifile", "certified", general["lumifile"]
    if general.get("lumi_table"):
        yield "general.lumi_table", "lumi", general["lumi_table"]
    for i, one in enumerate(config["datasets"]["datasets"]):
        if one.get("lumi_mask"):
            yield f"datasets.datasets[{i}].lumi_mask", "certified", one["lumi_mask"]
    own = config.get("statistics", {}).get("cabinetry_config")
    if own:
        yield "statistics.cabinetry_config", "model", own


def moved(config: Mapping[str, Any], names: Mapping[str, str], folder: Path) -> dict[str, Any]:
    """A stored configuration with its files in another folder, and nothing of the old machine.

    Parameters
    ----------
    config
        ``config/resolved.json``.
    names
        Path in the configuration -> name in the bundle.
    folder
        Where the bundle lies.
    """
    tree: dict[str, Any] = copy.deepcopy(dict(config))
    for section, values in _MACHINE.items():
        tree.setdefault(section, {}).update(values)
    skimming = tree.get("preprocess", {}).get("skimming", {})
    if skimming.get("output"):
        skimming["output"]["output_dir"] = None
    for path, _, _ in _places(config):
        if path in names:
            _set(tree, path, str(folder / names[path]))
    return tree


def _set(tree: Any, path: str, value: str) -> None:
    """Set a text at a path such as ``corrections.2016[0].file``."""
    *way, last = path.replace("[", ".").replace("]", "").split(".")
    for step in way:
        tree = tree[int(step)] if isinstance(tree, list) else tree[step]
    tree[last] = value
