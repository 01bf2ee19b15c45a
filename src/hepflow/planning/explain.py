"""What made an artifact, what it depends on, and whether the next run makes it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from hepflow.errors import InputError, StorageError, did_you_mean
from hepflow.inference.workflow.results import METHODS
from hepflow.planning.forecast import Forecast
from hepflow.planning.inference import StudyForecast
from hepflow.planning.inference_events import STAGE
from hepflow.planning.inference_learning import LIMITS
from hepflow.planning.inference_places import FOLDER, PLACES, found_in, is_inference
from hepflow.planning.looking import LookingManager
from hepflow.planning.records import UNIQUE, Piece, StageForecast
from hepflow.planning.settings import ANALYSIS, Difference, behind, differences
from hepflow.remote import shown
from hepflow.storage import read_json

# Folder of the output directory -> stage; of the cache likewise.
_FOLDERS = {
    "metadata": "metadata",
    "skimmed": "skim",
    "histograms": "normalisation",
    "statistics": "statistics",
    "plots": "plots",
}
_CACHED = {
    "histograms": "histograms",
    "duplicates": "skim",
    "luminosity": "normalisation",
    "isolated": "skim",
}
_EACH_RUN = {"config", "report", "logs"}
_FILLED = ".filled.key.json"


@dataclass(frozen=True, slots=True)
class PartRow:
    """One part of a key, stored and today."""

    name: str
    stored: str  # start of the digest; "" where there is none
    today: str
    state: str  # "same", "changed", "new", "gone", "not known yet", "cannot be fingerprinted"


@dataclass(frozen=True)
class Explanation:
    """All that `hepflow why` tells."""

    artifact: str
    stage: StageForecast
    pieces: tuple[Piece, ...]  # the group of artifacts, or several of a stage
    made: str | None  # when; None where it is not there
    settings: tuple[Difference, ...]  # of the configuration
    inputs: tuple[Difference, ...]  # files that the stage reads


AnyForecast = Forecast | StudyForecast


def explain(forecast: AnyForecast, artifact: str) -> Explanation:
    """Explain a file, a folder or a stage.

    Parameters
    ----------
    artifact
        Name of a stage, or a path: from here, or in the output folder.

    Raises
    ------
    InputError
        If there is no such artifact, or it depends on nothing that is kept.
    """
    stage, wanted = _found(forecast, artifact)
    pieces = tuple(piece for piece in stage.pieces if wanted is None or piece.name in wanted)
    reasons = [reason for piece in pieces for reason in piece.reasons] or list(stage.reasons)
    places = PLACES if stage in forecast.inference else ANALYSIS
    found = behind(reasons, differences(forecast.config, forecast.folders), places)
    return Explanation(
        artifact, stage, pieces, _made(forecast, stage, pieces), found, _inputs(forecast, stage)
    )


def part_rows(piece: Piece) -> tuple[PartRow, ...]:
    """Parts of the key of a piece, those that changed first."""
    stored = dict(piece.stored.parts) if piece.stored else {}
    today = dict(piece.today.parts) if piece.today else {}
    rows = []
    for name in {**stored, **today}:
        old, new = stored.get(name), today.get(name)
        state = _state(old, new)
        if name in piece.unknown or piece.today is None:
            follows = any(one.what == f"{name} changed" for one in piece.reasons)
            new, state = None, "changed" if follows else "not known yet"
        rows.append(PartRow(name, _short(old), _short(new), state))
    return tuple(sorted(rows, key=lambda row: (row.state == "same", row.name)))


def _state(old: str | None, new: str | None) -> str:
    if new is not None and new.startswith(UNIQUE):
        return "cannot be fingerprinted"
    if old is None:
        return "new"
    if new is None:
        return "gone"
    return "same" if old == new else "changed"


def _short(digest: str | None) -> str:
    """Start of a digest; versions stand as they are."""
    if digest is None:
        return ""
    text = digest.removeprefix(UNIQUE)
    return text if " " in text else text[:10]


def _found(forecast: AnyForecast, artifact: str) -> tuple[StageForecast, set[str] | None]:
    """Stage of an artifact and the names of its pieces; None for all of the stage."""
    stages = {one.name: one for one in (*forecast.stages, *forecast.inference)}
    if artifact in stages and not Path(artifact).exists():
        return stages[artifact], None
    place = _place(forecast.folders, artifact)
    if place is None:
        if artifact in stages:
            return stages[artifact], None
        raise _unknown(forecast, artifact)
    if is_inference(*place, forecast.inference, alone=not forecast.stages):
        return _of_inference(forecast, stages, artifact, place)
    return _of_analysis(forecast, stages, artifact, place)


def _of_analysis(
    forecast: AnyForecast,
    stages: Mapping[str, StageForecast],
    artifact: str,
    place: tuple[str, tuple[str, ...]],
) -> tuple[StageForecast, set[str] | None]:
    """Stage of an artifact of an analysis, and the names of its pieces."""
    folder, words = place
    if folder in _EACH_RUN:
        raise _each_run(artifact)
    if not forecast.stages or folder not in {*_FOLDERS, "cache"}:
        raise _unknown(forecast, artifact)
    if folder == "cache":
        return _in_cache(stages, artifact, words)
    name = _FOLDERS[folder]
    if folder == "histograms" and words[:1] == (_FILLED,):
        name = "histograms"
    if name not in stages:  # nothing is normalised where histograms are read back
        name = "histograms"
    stage = stages[name]
    wanted = _wanted(stage, folder, words)
    if wanted is not None and not wanted:
        raise _unknown(forecast, artifact)
    return stage, wanted


def _of_inference(
    forecast: AnyForecast,
    stages: Mapping[str, StageForecast],
    artifact: str,
    place: tuple[str, tuple[str, ...]],
) -> tuple[StageForecast, set[str] | None]:
    """Stage of an inference's artifact, and the names of its pieces."""
    if place == (FOLDER, ("run.json",)):
        raise _each_run(artifact)
    name, piece = found_in(*place)
    if piece is None:
        return stages[name], None
    known = (one.name for one in stages[name].pieces)
    wanted = {one for one in known if one == piece or one.startswith(f"{piece}/")}
    if not wanted:
        raise _unknown(forecast, artifact)
    return stages[name], wanted


def _each_run(artifact: str) -> InputError:
    return InputError(
        f"{artifact} has no key: each run writes it anew. `hepflow why` knows stages and what "
        "is reused: skims, histograms, the fit, figures, and the steps of an inference."
    )


def _place(folders: LookingManager, artifact: str) -> tuple[str, tuple[str, ...]] | None:
    """Folder of the run that holds an artifact, and the path below it."""
    known = {name: Path(path) for name, path in folders.list_structure().items()}
    root = known.pop("root")
    known[FOLDER] = root / FOLDER
    for path in (Path(artifact).expanduser(), root / artifact):
        for name, folder in known.items():
            if _absolute(path).is_relative_to(_absolute(folder)):
                return name, _absolute(path).relative_to(_absolute(folder)).parts
    return None


def _absolute(path: Path) -> Path:
    return Path(path).absolute().resolve()


def _wanted(stage: StageForecast, folder: str, words: tuple[str, ...]) -> set[str] | None:
    """Pieces that lie at this path of a folder."""
    if not words or folder in {"metadata", "histograms", "statistics"}:
        return None
    if folder == "skimmed":
        return {piece.name for piece in stage.pieces if piece.name == words[0]}
    below = "/".join((folder, *words))
    figure = below.rpartition(".")[0] if "." in words[-1] else below
    return {
        piece.name
        for piece in stage.pieces
        if piece.name == figure or piece.name.startswith(f"{below}/")
    }


def _in_cache(
    stages: Mapping[str, StageForecast], artifact: str, words: tuple[str, ...]
) -> tuple[StageForecast, set[str] | None]:
    if not words or words[0] not in _CACHED:
        raise InputError(
            f"{artifact}: nothing that a run keeps. `hepflow cache ls` lists the cache."
        )
    stage = stages.get(_CACHED[words[0]], stages["histograms"])
    if words[:2] != ("histograms", "merged") or not words[2:]:
        return stage, None
    digest = Path(words[2]).stem
    found = {one.name for one in stage.pieces if one.today and one.today.digest == digest}
    if not found:
        raise InputError(
            f"{artifact} is of another configuration, or of another analysis with the same cache: "
            "no channel has this key today."
        )
    return stage, found


def _unknown(forecast: AnyForecast, artifact: str) -> InputError:
    folders = {"skim": "skimmed/", STAGE: f"{FOLDER}/", LIMITS: f"{FOLDER}/{METHODS}/"}
    stages = (*forecast.stages, *forecast.inference)
    names = [one.name for one in stages if one.name != "prepare"]
    files = [
        f"{folders.get(stage.name, '')}{piece.name}"
        for stage in stages
        for piece in stage.pieces
        if stage.name in {"skim", "plots"} or stage in forecast.inference
    ]
    own = ["histograms/histograms.root", "statistics/fit.json"] if forecast.stages else []
    hint = did_you_mean(artifact, [*names, *files, *own], many=6)
    return InputError(
        f"{artifact!r} is neither a stage nor something that the run keeps in "
        f"{forecast.folders.get_root_dir()}. {hint} Stages are {', '.join(names)}."
    )


def _made(forecast: AnyForecast, stage: StageForecast, pieces: tuple[Piece, ...]) -> str | None:
    """When the artifact was made, or the last one of several."""
    stamps = [piece.stamp for piece in pieces if piece.stamp is not None]
    if stage.name == "metadata":
        stamps = [forecast.folders.get_metadata_dir() / "files.json"]
    times = [stamp.stat().st_mtime for stamp in stamps if stamp.exists()]
    if not times:
        return None
    return f"{datetime.fromtimestamp(max(times)).astimezone():%Y-%m-%d %H:%M:%S}"


def _inputs(forecast: AnyForecast, stage: StageForecast) -> tuple[Difference, ...]:
    """Input files, correction files and the like that are not as they were."""
    found: list[Difference] = []
    if stage in forecast.inference:
        return ()
    if stage.name in {"metadata", "skim"} and forecast.files:
        found += [
            Difference(shown(one.path), one.before or "not there", one.now)
            for one in forecast.files.others
        ]
    if forecast.analysis is not None and stage.name not in {"metadata", "skim"}:
        found += _digests(forecast, forecast.analysis.spec.digests)
    return tuple(found)


def _digests(forecast: AnyForecast, today: Mapping[str, str]) -> list[Difference]:
    path = forecast.folders.get_report_dir() / "run.json"
    try:
        stored: Any = read_json(path, "a run") if path.exists() else {}
    except StorageError:
        return []
    before = stored.get("input_digests", {})
    return [
        Difference(file, f"sha256 {before[file][:10]}", f"sha256 {digest[:10]}")
        for file, digest in today.items()
        if file in before and before[file] != digest
    ]
