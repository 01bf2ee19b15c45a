"""Folders and executors for one who only looks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from hepflow.execution import Outcome
from hepflow.output_manager import OutputDirectoryManager
from hepflow.pipeline import make_output_manager
from hepflow.schema import Config


class LookingManager(OutputDirectoryManager):
    """Says where the folders of a run are, and makes none of them."""

    @classmethod
    def of(cls, config: Config) -> Self:
        """Folders as a run of this configuration would have them."""
        there = make_output_manager(config).list_structure()
        return cls(
            root_output_dir=there["root"],
            cache_dir=there["cache"],
            metadata_dir=there["metadata"],
            skimmed_dir=there["skimmed"],
        )

    def _folder(self, path: Path, made_by: str, *, must_exist: bool) -> Path:
        return super()._folder(path, made_by, must_exist=True) if must_exist else path

    def get_cache_dir(self, *, must_exist: bool = False) -> Path:  # noqa: ARG002 - as of the base
        """Return the user's cache, there or not."""
        return Path(self.list_structure()["cache"])


class WouldRun(Exception):
    """Something can't be told without running it."""


class NothingRuns:
    """An executor for functions of the run that may find all they need in the cache.

    Raises `WouldRun` where they do not.
    """

    workers = 1

    def map(
        self,
        function: Callable[[Any], Any],  # noqa: ARG002 - as of every executor
        items: Iterable[Any],  # noqa: ARG002
        *,
        label: str,
        ahead: bool = False,  # noqa: ARG002
        probe: bool = False,  # noqa: ARG002
    ) -> Iterator[Outcome]:
        """Refuse.

        Raises
        ------
        WouldRun
            Always.
        """
        raise WouldRun(label)

    def close(self) -> None:
        """Nothing is open."""

    def __enter__(self) -> Self:
        """Return the executor."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Nothing is open."""
