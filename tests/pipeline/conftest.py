"""What the tests of the whole chain share: the built-in analysis, run once on a small sample."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hepflow.output_manager import default_cache_dir
from tests.pipeline import built_in


@pytest.fixture(scope="session")
def built_in_folder() -> Path:
    """Folder for runs of the built-in analysis, for all processes of the test suite."""
    return default_cache_dir() / "tests-of-the-chain"


@pytest.fixture(scope="session")
def small_config(small_sample, built_in_folder) -> dict[str, Any]:
    """Configuration of the built-in analysis on the small sample: histograms only."""
    return built_in.configuration(small_sample, built_in_folder / "small")


@pytest.fixture(scope="session")
def small_run(small_config, built_in_folder) -> built_in.Run:
    """The built-in analysis on the small sample."""
    with built_in.locked(built_in_folder):
        return built_in.fill(small_config)
