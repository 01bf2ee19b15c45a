"""A statistical model from whatever holds one: a run, a workspace, templates, a configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hepflow.errors import InputError, WorkspaceError
from hepflow.statistics.patches import patched
from hepflow.storage import read_json

WORKSPACE = Path("statistics") / "workspace.json"  # in the folder of a run
GROUPS = Path("statistics") / "groups.json"
PREDICTION = Path("statistics") / "prediction.json"
HISTOGRAMS = (".root", ".zip")
_CONFIGURATIONS = (".yaml", ".yml")


@dataclass(frozen=True)
class ModelSource:
    """A workspace, and what is known beside it."""

    workspace: Mapping[str, Any]
    path: Path  # as given
    run: Path | None = None  # folder of the run, where it is one
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # of parameters
    expected_only: bool = False  # observations are Asimov data: nothing may be called observed


def read_workspace(path: str | Path, patch: str | Path | None = None) -> dict[str, Any]:
    """HistFactory JSON, with a patch applied where one is named.

    Parameters
    ----------
    path : str or Path
        File of the workspace.
    patch : str or Path, optional
        As `patched` takes it.

    Raises
    ------
    WorkspaceError
        It is no workspace, or the patch does not fit.
    StorageError
        It cannot be read.
    """
    content = read_json(Path(path), "a run, or the author of the workspace")
    missing = [
        key
        for key in ("channels", "observations", "measurements")
        if not isinstance(content, dict) or not isinstance(content.get(key), list)
    ]
    if missing:
        raise WorkspaceError(
            f"{path} is no HistFactory workspace: it has no list {', '.join(missing)}. Expected "
            "the JSON that pyhf and cabinetry write, with channels, observations and measurements."
        )
    return dict(content) if patch is None else patched(content, patch)


def read_source(
    source: str | Path,
    *,
    patch: str | Path | None = None,
    signal: Sequence[str] = (),
    data: str = "data",
    observables: Mapping[str, str] | None = None,
) -> ModelSource:
    """Find the model in a file or folder.

    Parameters
    ----------
    source : str or Path
        Folder of a run; a workspace (JSON); histograms (ROOT, or the zip of a run) with keys
        ``channel__observable__process[__source_up|down]``; or a cabinetry configuration (YAML).
    patch : str or Path, optional
        JSON patch or entry of a patch set, applied to the workspace.
    signal : sequence of str
        Processes that the parameter of interest multiplies; for histograms only.
    data : str
        Process of the data; for histograms only.
    observables : mapping, optional
        By channel, where a file of histograms has several.

    Returns
    -------
    ModelSource

    Raises
    ------
    InputError
        There is no such file, or it holds no model.
    """
    path = Path(source)
    if not path.exists():
        raise InputError(
            f"{path} does not exist. Expected the folder of a run, a workspace (.json), "
            "histograms (.root, .zip) or a cabinetry configuration (.yaml)."
        )
    if path.is_dir():
        return _of_run(path, patch)
    suffix = path.suffix.lower()
    if suffix in HISTOGRAMS:
        from hepflow.statistics.histogram_files import workspace_of_histograms

        workspace = workspace_of_histograms(
            path, signal=signal, data=data, observables=observables or {}
        )
        return ModelSource(workspace if patch is None else patched(workspace, patch), path)
    if suffix in _CONFIGURATIONS:
        from hepflow.statistics.own_workspace import build_from_own

        workspace = build_from_own(path)
        return ModelSource(workspace if patch is None else patched(workspace, patch), path)
    return ModelSource(read_workspace(path, patch), path)


def _of_run(folder: Path, patch: str | Path | None) -> ModelSource:
    if not (folder / WORKSPACE).is_file():
        raise InputError(
            f"{folder} holds no {WORKSPACE}: no run with statistics has written there. Name the "
            "output folder of such a run, or a workspace."
        )
    groups: dict[str, tuple[str, ...]] = {}
    if (folder / GROUPS).is_file():
        stored = read_json(folder / GROUPS, "the statistics of a run")
        groups = {str(name): tuple(map(str, members)) for name, members in stored.items()}
    predictions = folder / PREDICTION
    asimov = predictions.is_file() and bool(
        read_json(predictions, "the statistics of a run").get("expected_only")
    )
    workspace = read_workspace(folder / WORKSPACE, patch)
    return ModelSource(workspace, folder, folder, groups, expected_only=asimov)
