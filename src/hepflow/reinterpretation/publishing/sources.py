"""Runs and preserved bundles as folders to read from; bundles are verified first, and none runs."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hepflow.reinterpretation.bundle import verify
from hepflow.reinterpretation.bundle.loading import BACKGROUND, PATCH_SET
from hepflow.reinterpretation.bundle.manifest import MANIFEST
from hepflow.reinterpretation.publishing.points import Point
from hepflow.storage import atomic_write, safe_join

_READ = ("model/", "results/", "histograms/cutflow.json", "config/resolved.json")


@contextlib.contextmanager
def readable(points: Sequence[Point]) -> Iterator[tuple[Point, ...]]:
    """Points whose paths are folders or workspaces: of bundles, a verified copy.

    Parameters
    ----------
    points : sequence of Point

    Yields
    ------
    tuple of Point
        The copies are gone at the end of the block.

    Raises
    ------
    ChecksumError
        A bundle was changed.
    InputError
        A zip file is no bundle.
    """
    with tempfile.TemporaryDirectory(prefix="hepflow-publish-") as name:
        yield tuple(
            replace(one, path=_copied(one.path, Path(name) / str(number)))
            for number, one in enumerate(points)
        )


def is_bundle(path: Path) -> bool:
    """Whether a path is to be read as a bundle."""
    return (path / MANIFEST).is_file() or (path.is_file() and path.suffix.lower() == ".zip")


def _copied(path: Path, folder: Path) -> Path:
    if not is_bundle(path):
        return path
    bundle = verify(path)
    for name in bundle.files:
        if name.startswith(_READ):
            atomic_write(safe_join(folder, *name.split("/")), bundle.read(name))
    return folder


def background_of(path: Path) -> dict[str, Any]:
    """Background-only workspace: a file, the folder of a run or that of a bundle.

    Raises
    ------
    InputError
        There is none.
    WorkspaceError
        It is no workspace.
    """
    from hepflow.statistics.source import read_source, read_workspace

    if (path / BACKGROUND).is_file():
        return read_workspace(path / BACKGROUND)
    return dict(read_source(path).workspace)


def workspace_of(path: Path) -> dict[str, Any]:
    """Workspace with the signal; that of a bundle has its own.

    Raises
    ------
    InputError
        There is none.
    WorkspaceError
        It is no workspace.
    """
    from hepflow.statistics.source import read_source, read_workspace

    if (path / BACKGROUND).is_file():
        return read_workspace(path / BACKGROUND, path / PATCH_SET)
    return dict(read_source(path).workspace)
