"""To look at the folders of a run makes none of them, and runs nothing."""

from __future__ import annotations

import pytest

from hepflow.errors import MissingArtifact
from hepflow.pipeline import make_output_manager
from hepflow.planning.looking import LookingManager, NothingRuns, WouldRun
from hepflow.schema import Config
from tests.builders import tiny_config, toy_inputs


@pytest.fixture
def config(tmp_path):
    content = tiny_config(tmp_path, toy_inputs(tmp_path))
    content["general"] |= {
        "output_dir": str(tmp_path / "new"),
        "cache_dir": str(tmp_path / "new_cache"),
        "metadata_dir": str(tmp_path / "elsewhere"),
    }
    return Config(**content)


def test_the_folders_are_those_of_a_run_and_none_is_made(config, tmp_path):
    looking = LookingManager.of(config)
    assert looking.list_structure() == make_output_manager(config).list_structure()
    before = set(tmp_path.iterdir())
    for name in ("root", "cache", "metadata", "skimmed", "histograms", "statistics", "plots"):
        getattr(looking, f"get_{name}_dir")()
    looking.get_dataset_dir("data")
    looking.get_plots_dir("SR")
    assert set(tmp_path.iterdir()) == before


def test_what_must_be_there_is_still_asked_for(config):
    with pytest.raises(MissingArtifact):
        LookingManager.of(config).get_skimmed_dir(must_exist=True)


def test_nothing_runs():
    with NothingRuns() as executor, pytest.raises(WouldRun, match="skimming"):
        executor.map(print, [1], label="skimming")
