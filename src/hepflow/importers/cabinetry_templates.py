"""Read the template histograms that a cabinetry configuration names."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import StorageError, WorkspaceError
from hepflow.events.decompression import bound_decompression
from hepflow.events.failures import named, open_errors
from hepflow.importers.storages import with_flow
from hepflow.records import Template
from hepflow.storage import open_zip, refuse_special

_LARGEST = 1 << 30  # [byte] of a file of one histogram when decompressed
_BROKEN = (
    *(OSError, KeyError, ValueError, TypeError, AttributeError, EOFError),
    *(MemoryError, OverflowError, StorageError, zipfile.BadZipFile, SyntaxError),
    tokenize.TokenError,  # of the header of an array, which numpy parses
)
Entry = Mapping[str, Any]  # one entry of a cabinetry configuration


@dataclass(frozen=True)
class Found:
    """A histogram as it was found."""

    edges: tuple[float, ...]
    template: Template  # with flow; zero where the file has none


Reader = Callable[[Entry, Entry, Entry, str], Found]  # region, sample, systematic, "", Up or Down


def names_in(entry: Entry, key: str) -> list[str]:
    """Names of a setting that may be one name, a list, or absent: then empty."""
    chosen = entry.get(key, [])
    return [chosen] if isinstance(chosen, str) else list(chosen)


def acts_on(entry: Entry, region: Entry, sample: Entry) -> bool:
    """Whether a modifier acts on a sample in a region; absent settings mean all."""
    regions, samples = names_in(entry, "Regions"), names_in(entry, "Samples")
    return (not regions or region["Name"] in regions) and (not samples or sample["Name"] in samples)


def contains(region: Entry, sample: Entry) -> bool:
    """Whether a region has a sample."""
    regions = names_in(sample, "Regions")
    return not regions or region["Name"] in regions


def folder_reader(folder: Path) -> Reader:
    """Read ``<region>_<sample>[_<systematic>_<Up|Down>].npz``, post-processed where there is.

    As `cabinetry.histo.Histogram.from_config` does (``cabinetry/histo.py``).
    """

    def read(region: Entry, sample: Entry, systematic: Entry, side: str) -> Found:
        parts = [region["Name"], sample["Name"]]
        parts += [systematic["Name"], side] if side else []
        name = "_".join(parts).replace(" ", "-")
        modified = folder / f"{name}_modified.npz"
        return _from_npz(modified if modified.exists() else folder / f"{name}.npz")

    return read


def _from_npz(path: Path) -> Found:
    try:
        with open_zip(path, max_bytes=_LARGEST) as archive:
            edges, yields, stdev = (_numbers(archive, name) for name in ("bins", "yields", "stdev"))
        if not len(edges) - 1 == len(yields) == len(stdev):
            raise ValueError("its arrays do not belong together")
    except FileNotFoundError as error:
        raise WorkspaceError(
            f"{path} does not exist. Run cabinetry.templates.collect (or build) and postprocess, "
            "or read the input histograms (source='inputs')."
        ) from error
    except (*_BROKEN, zlib.error) as error:
        raise WorkspaceError(f"{path} is not a histogram of cabinetry: {error}") from error
    sumw2 = np.nan_to_num(stdev**2, nan=0.0)
    flow = ((1, 1),)
    sums = Template(np.pad(yields, flow), np.pad(sumw2, flow))
    return Found(tuple(map(float, edges)), sums)


def _numbers(archive: zipfile.ZipFile, name: str) -> NDArray[np.float64]:
    """Array of numbers in one dimension."""
    with archive.open(f"{name}.npy") as file:
        found = np.lib.format.read_array(file, allow_pickle=False)
    if found.ndim != 1 or found.dtype.kind not in "biuf":
        raise ValueError(f"{name} is no list of numbers")
    return np.asarray(found, dtype=np.float64)


def input_reader(general: Entry, base: Path) -> Reader:
    """Read from the files of ``General.InputPath``, such as ``file.root:{RegionPath}/...``.

    As `cabinetry.templates.collect` does (``cabinetry/templates/collector.py``), but with under-
    and overflow.
    """

    def read(region: Entry, sample: Entry, systematic: Entry, side: str) -> Found:
        return _from_root(_path(general, region, sample, systematic.get(side, {})), base)

    return read


def _path(general: Entry, region: Entry, sample: Entry, override: Entry) -> str:
    """Path with all placeholders filled; those of a systematic's template come first."""
    if "Tree" in sample:
        raise WorkspaceError(
            f"the sample {sample['Name']!r} is built from a tree. Run cabinetry.templates.build "
            "and postprocess, and read what these wrote: source='folder'."
        )
    settings = {
        "RegionPath": region.get("RegionPath"),  # cabinetry has no override for it in histograms
        "SamplePath": override.get("SamplePath", sample.get("SamplePath")),
        "VariationPath": override.get("VariationPath", general.get("VariationPath", "")),
    }
    path = str(general["InputPath"])
    for name, value in settings.items():
        placeholder = f"{{{name}}}"
        if placeholder in path and not isinstance(value, str):
            where = region if name == "RegionPath" else sample
            raise WorkspaceError(
                f"General.InputPath needs a {name}, which {where['Name']!r} does not have."
            )
        path = path.replace(placeholder, value or "")
    return path


def _from_root(path: str, base: Path) -> Found:
    import uproot

    file, colon, key = path.rpartition(":")
    if not colon or key.startswith("//"):
        raise WorkspaceError(f"expected file:histogram in General.InputPath, not {path!r}.")
    place = file if "://" in file else str(base / file)
    bound_decompression()
    try:
        refuse_special(place)
        with uproot.open(place) as opened:
            return _from_th1(opened[key])
    except WorkspaceError:
        raise
    except _root_errors() as error:
        shown = named(place)
        raise WorkspaceError(f"the histogram {key!r} in {shown} cannot be read: {error}") from error


def _root_errors() -> tuple[type[BaseException], ...]:
    return (*_BROKEN, *open_errors())


def _from_th1(histogram: Any) -> Found:
    if len(getattr(histogram, "axes", ())) != 1:
        raise WorkspaceError(f"{histogram!r} is not a histogram of one dimension.")
    found = histogram.to_boost()
    view, traits = found.view(flow=True), found.axes[0].traits
    weighted = view.dtype.names is not None
    sumw = np.asarray(view["value"] if weighted else view, dtype=np.float64)
    # without squares of weights ROOT takes the content; cabinetry makes negative ones zero
    sumw2 = np.maximum(np.asarray(view["variance"] if weighted else view, dtype=np.float64), 0.0)
    sums = Template(with_flow(sumw, traits), with_flow(sumw2, traits))
    return Found(tuple(map(float, found.axes[0].edges)), sums)
