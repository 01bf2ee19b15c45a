"""Where every file of a run lies."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from hepflow.errors import MissingArtifact, UnsafeContent
from hepflow.storage.atomic import remove_stale_temporaries, storage_errors
from hepflow.storage.folders import private_folder, safe_join

CACHE_VARIABLE = "HEPFLOW_CACHE_DIR"

# Folder of the output directory -> the step that fills it.
_MADE_BY = {
    "config": "the start of a run",
    "metadata": "metadata extraction (general.run_metadata_generation)",
    "skimmed": "skimming (general.run_skimming)",
    "histograms": "histogramming (general.run_histogramming)",
    "statistics": "the statistics step (general.run_statistics)",
    "models": "training (general.run_mva_training)",
    "plots": "plotting",
    "report": "the report step",
    "logs": "the start of a run",
}


def default_cache_dir() -> Path:
    """Folder of the environment variable ``HEPFLOW_CACHE_DIR``, else in the user's cache folder."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named).expanduser()
    import platformdirs

    return platformdirs.user_cache_path("hepflow")


def require(path: str | Path, made_by: str) -> Path:
    """Return a path that an earlier step must have made.

    Parameters
    ----------
    path : str or Path
    made_by : str
        The step, for the message: ``"skimming"``.

    Raises
    ------
    MissingArtifact
        Nothing is there; the message names the step.
    """
    path = Path(path)
    if not path.exists():
        raise MissingArtifact(
            f"{path} does not exist. It is made by {made_by}: run that step first, "
            "or check general.output_dir."
        )
    return path


class OutputDirectoryManager:
    """Folders of one run. They are made when they are asked for.

    Every ``get_*`` takes ``must_exist=True`` for reading: then a missing folder is an error
    that names the step which makes it. A folder that is a link out of the folder of the run is
    refused: a run writes nowhere else than where it is told to.

    Parameters
    ----------
    root_output_dir : str or Path
        Holds all that the run writes.
    cache_dir : str or Path, optional
        Shared by runs, private to the user (mode 0700). Default: `default_cache_dir`.
    metadata_dir, skimmed_dir : str or Path, optional
        Instead of the folders in `root_output_dir`, to read what another run made.

    Examples
    --------
    >>> manager = OutputDirectoryManager(root_output_dir="out", cache_dir="cache")
    >>> manager.list_structure()["statistics"]
    'out/statistics'
    """

    def __init__(
        self,
        root_output_dir: str | Path,
        cache_dir: str | Path | None = None,
        metadata_dir: str | Path | None = None,
        skimmed_dir: str | Path | None = None,
    ) -> None:
        self._root = Path(root_output_dir).expanduser()
        self._cache = Path(cache_dir).expanduser() if cache_dir else default_cache_dir()
        self._elsewhere = {
            name: Path(path).expanduser()
            for name, path in (("metadata", metadata_dir), ("skimmed", skimmed_dir))
            if path
        }

    def __repr__(self) -> str:
        return f"{type(self).__name__}(root_output_dir={str(self._root)!r})"

    def _path(self, name: str) -> Path:
        return self._elsewhere.get(name, self._root / name)

    def _checked(self, name: str) -> Path:
        """Path of a folder that does not lead out of the folder of the run, unless it is set."""
        return self._elsewhere.get(name) or safe_join(self._root, name)

    def _folder(self, path: Path, made_by: str, *, must_exist: bool) -> Path:
        if must_exist:
            return require(path, made_by)
        with storage_errors(path, "make the folder"):
            path.mkdir(parents=True, exist_ok=True)
        return path

    def _named(self, name: str, *, must_exist: bool) -> Path:
        return self._folder(self._checked(name), _MADE_BY[name], must_exist=must_exist)

    def _below(self, top: Path, subpath: str | Path, made_by: str, *, must_exist: bool) -> Path:
        parts = PurePosixPath(subpath).parts
        if not parts:
            raise UnsafeContent(f"{str(subpath)!r} names no folder under {top}.")
        return self._folder(safe_join(top, *parts), made_by, must_exist=must_exist)

    def get_root_dir(self, *, must_exist: bool = False) -> Path:
        """Return the folder of the run."""
        return self._folder(self._root, "a run of hepflow", must_exist=must_exist)

    def get_cache_dir(self, *, must_exist: bool = False) -> Path:
        """Return the user's cache, not writable by others.

        Raises
        ------
        UnsafeContent
            It belongs to someone else, is a link, or others may write it.
        """
        if must_exist:
            require(self._cache, "any step that caches")
        return private_folder(self._cache)

    def get_config_dir(self, *, must_exist: bool = False) -> Path:
        """Return the folder of the configuration as run."""
        return self._named("config", must_exist=must_exist)

    def get_metadata_dir(self, *, must_exist: bool = False) -> Path:
        """Return the folder of ``fileset.json``, ``workitems.json`` and ``nanoaods.json``."""
        return self._named("metadata", must_exist=must_exist)

    def get_skimmed_dir(self, *, must_exist: bool = False) -> Path:
        """Return the folder of the skims, one folder a dataset."""
        return self._named("skimmed", must_exist=must_exist)

    def get_dataset_dir(self, name: str, *, must_exist: bool = False) -> Path:
        """Return the folder of one dataset's skim.

        Raises
        ------
        UnsafeContent
            The name is not one component of a path.
        """
        path = safe_join(self._checked("skimmed"), name)
        return self._folder(path, _MADE_BY["skimmed"], must_exist=must_exist)

    def get_histograms_dir(self, *, must_exist: bool = False) -> Path:
        """Return the folder of the histograms."""
        return self._named("histograms", must_exist=must_exist)

    def get_statistics_dir(self, *, must_exist: bool = False) -> Path:
        """Return the folder of the statistical model and its results."""
        return self._named("statistics", must_exist=must_exist)

    def get_models_dir(self, *, must_exist: bool = False) -> Path:
        """Return the folder of trained networks."""
        return self._named("models", must_exist=must_exist)

    def get_plots_dir(self, subdir: str | Path | None = None, *, must_exist: bool = False) -> Path:
        """Return the folder of the figures, or a folder in it such as a channel's.

        Raises
        ------
        UnsafeContent
            `subdir` leads out of the folder.
        """
        if subdir is None:
            return self._named("plots", must_exist=must_exist)
        return self._below(self._checked("plots"), subdir, _MADE_BY["plots"], must_exist=must_exist)

    def get_report_dir(self, *, must_exist: bool = False) -> Path:
        """Return the folder of the report."""
        return self._named("report", must_exist=must_exist)

    def get_logs_dir(self, *, must_exist: bool = False) -> Path:
        """Return the folder of the logs."""
        return self._named("logs", must_exist=must_exist)

    def get_custom_dir(self, subpath: str | Path, *, must_exist: bool = False) -> Path:
        """Return a folder of your own in the folder of the run.

        Raises
        ------
        UnsafeContent
            `subpath` leads out of the folder of the run.
        """
        return self._below(self._root, subpath, "your own code", must_exist=must_exist)

    def remove_stale_temporaries(self) -> None:
        """Remove what killed runs left half-written in the folders of the run and in the cache.

        The skim cleans its own folders: they may hold very many files.
        """
        tops = [self._path(name) for name in _MADE_BY if name != "skimmed"]
        for top in [*tops, self._cache]:
            for folder, _, names in os.walk(top):
                if any(name.endswith(".tmp") for name in names):
                    remove_stale_temporaries(folder)

    def list_structure(self) -> dict[str, str]:
        """Return the path of every folder by its name; makes none of them."""
        folders = {name: str(self._path(name)) for name in _MADE_BY}
        return {"root": str(self._root), "cache": str(self._cache), **folders}
