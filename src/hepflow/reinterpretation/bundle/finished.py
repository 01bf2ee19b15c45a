"""A run that came to its end, and whether its results may be preserved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hepflow.errors import InputError, StorageError

if TYPE_CHECKING:
    from hepflow.report.stored import StoredRun

_COPIED: Final = (
    *("histograms/histograms.zip", "histograms/histograms.root", "histograms/cutflow.json"),
    *("config/resolved.json", "config/invocation.json"),
)
_RUN_AGAIN: Final = "Repeat the run (what has not changed is reused), then preserve it."


@dataclass(frozen=True)
class Finished:
    """What a bundle is made of, as the run wrote it."""

    folder: Path
    stored: StoredRun
    files: Mapping[str, bytes]  # name in the bundle -> content
    remarks: tuple[str, ...]

    @property
    def base(self) -> Path:
        """Folder that the run was started in; here where it is not on record, or not there."""
        named = self.stored.invocation.get("cwd")
        return Path(str(named)) if named and Path(str(named)).is_dir() else Path.cwd()

    @property
    def analysis(self) -> str | None:
        """The class that did it, as ``module:Class``; None for hepflow's own."""
        name = self.stored.invocation.get("analysis")
        return str(name) if name else None

    @property
    def digests(self) -> Mapping[str, str]:
        """SHA-256 of the files that the configuration names, as they were read."""
        found: Mapping[str, str] = self.stored.run.get("input_digests", {})
        return found


def read_finished(folder: Path) -> Finished:
    """Read a run and make sure that it may be preserved.

    Raises
    ------
    InputError
        There is no run, it failed, or its results are not of what is stored beside them.
    """
    from hepflow.report.stored import read_run

    if not folder.is_dir():
        raise InputError(f"{folder} does not exist. Name the output folder of a finished run.")
    try:
        stored = read_run(folder)
    except StorageError as error:
        raise InputError(f"{folder} cannot be preserved: {error}") from error
    problems = list(_problems(folder, stored))
    if problems:
        told = "\n".join(f"  {one}" for one in problems)
        raise InputError(f"{folder} cannot be preserved:\n{told}\n{_RUN_AGAIN}")
    remarks = (*_unstamped(folder), *_remarks(stored))
    return Finished(folder, stored, _files(folder), remarks)


def _problems(folder: Path, stored: StoredRun) -> Iterator[str]:
    if stored.cut_short:
        yield "a later run began there and did not come to its end"
    inference = stored.inference
    if inference.absent:
        yield f"there are no results of statistics: {inference.absent}"
        return
    if inference.failed:
        notes = "; ".join(inference.fit.notes) if inference.fit else ""
        yield f"its fit has no result that may be shown: {notes}"
    elif inference.outdated:
        yield f"{', '.join(inference.outdated)}: of another model than the fit"
    for name in (*_COPIED[:2], _COPIED[3], "statistics/workspace.json"):
        if not (folder / name).is_file():
            yield f"{name} is not there"
    yield from _stale(folder)


def _stale(folder: Path) -> Iterator[str]:
    """Results that are not of the histograms beside them, as far as their keys tell."""
    from hepflow.keys import make_key
    from hepflow.stamps import read_key, read_stamp

    filled, fitted = read_stamp(folder / "histograms"), read_stamp(folder / "statistics")
    for name, stamp in (("histograms", filled), ("statistics", fitted)):
        if stamp is not None and read_key(folder / name) is None:
            yield f"files in {name}/ are not as the run wrote them"
            return
    if filled is None or fitted is None:
        return  # filled part by part, or by an own cabinetry file: made anew by each run
    expected = make_key("statistics", histograms=filled.key.without("labels").digest)
    if fitted.key.parts.get("histograms") != expected.parts["histograms"]:
        yield "the statistics are not of the stored histograms"


def _unstamped(folder: Path) -> Iterator[str]:
    from hepflow.stamps import read_stamp

    stages = [one for one in ("histograms", "statistics") if read_stamp(folder / one) is None]
    if stages:
        yield (
            f"{' and '.join(stages)}: the stored results do not say what they were made from, so "
            "that this could not be compared with the configuration"
        )


def _remarks(stored: StoredRun) -> Iterator[str]:
    """What a reader of any result must know."""
    run, general = stored.run, stored.settings.get("general", {})
    yield from (str(one) for one in run.get("remarks", ()))
    yield from (f"the run had a problem: {one}" for one in run.get("problems", ()))
    if stored.inference.expected_only:
        yield "observed data are not used: the workspace holds the nominal expectation instead"
    lost = run.get("losses", ())
    if lost:
        yield f"{len(lost)} parts of the input could not be processed (results/run.json)"
    if general.get("max_files") or stored.settings.get("datasets", {}).get("max_files"):
        yield "a limited number of files of each dataset was read (max_files)"
    if not stored.invocation:
        yield "the run was started from Python: that hepflow's own Analysis did it is assumed"


def _files(folder: Path) -> dict[str, bytes]:
    from hepflow.statistics.stored import result_files

    found = {name: folder / name for name in _COPIED if (folder / name).is_file()}
    for path in result_files(folder / "statistics"):
        if path.name != "workspace.json":
            found[f"results/{path.name}"] = path
    found["results/run.json"] = folder / "report" / "run.json"
    return {name: path.read_bytes() for name, path in found.items()}


def workspace_of(folder: Path) -> dict[str, Any]:
    """The workspace of a run."""
    from hepflow.statistics.source import read_workspace

    return read_workspace(folder / "statistics" / "workspace.json")
