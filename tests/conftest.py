"""What all tests share: a cache of their own, one small sample, and logging as it was."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from hepflow.output_manager import CACHE_VARIABLE, default_cache_dir

if TYPE_CHECKING:
    from hepflow.samples import SampleLayout

SAMPLE_EVENTS = 20_000
_cache = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    """Keep the user's cache out of the tests; processes of the suite share one of its own."""
    if not hasattr(config, "workerinput"):  # those inherit it
        config.stash[_cache] = tempfile.mkdtemp(prefix="hepflow-tests-")
        os.environ[CACHE_VARIABLE] = config.stash[_cache]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the cache of the tests."""
    if _cache in config.stash:
        shutil.rmtree(config.stash[_cache], ignore_errors=True)


@pytest.fixture(scope="session")
def small_sample() -> SampleLayout:
    """Built-in sample of `SAMPLE_EVENTS` events, where ``user.configuration`` looks for it."""
    from hepflow.samples import ensure_sample

    return ensure_sample(default_cache_dir() / "samples", SAMPLE_EVENTS)


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """Close what a test has set up for logging: its files lie in folders that go away."""
    logger = logging.getLogger("hepflow")
    handlers = list(logger.handlers)
    logger.setLevel(logging.NOTSET)  # a fixture of a whole module may have run a command
    yield
    for handler in [one for one in logger.handlers if one not in handlers]:
        logger.removeHandler(handler)
        handler.close()
    logger.setLevel(logging.NOTSET)
