"""The public names of the output manager, as notebooks use them."""

from __future__ import annotations

import inspect
from pathlib import Path

from hepflow.output_manager import OutputDirectoryManager


def test_arguments():
    parameters = inspect.signature(OutputDirectoryManager).parameters
    assert list(parameters) == ["root_output_dir", "cache_dir", "metadata_dir", "skimmed_dir"]
    assert [p.default for p in parameters.values()][1:] == [None, None, None]


def test_the_tree(tmp_path):
    root = tmp_path / "out"
    manager = OutputDirectoryManager(root_output_dir=str(root), cache_dir=str(tmp_path / "cache"))
    expected = {
        manager.get_root_dir(): root,
        manager.get_cache_dir(): tmp_path / "cache",
        manager.get_metadata_dir(): root / "metadata",
        manager.get_skimmed_dir(): root / "skimmed",
        manager.get_plots_dir(): root / "plots",
        manager.get_plots_dir("statistics"): root / "plots" / "statistics",
        manager.get_plots_dir(subdir="a/b"): root / "plots" / "a" / "b",
        manager.get_models_dir(): root / "models",
        manager.get_histograms_dir(): root / "histograms",
        manager.get_statistics_dir(): root / "statistics",
        manager.get_report_dir(): root / "report",
        manager.get_dataset_dir("ttbar__nominal"): root / "skimmed" / "ttbar__nominal",
        manager.get_custom_dir("mine/deep"): root / "mine" / "deep",
    }
    for found, path in expected.items():
        assert isinstance(found, Path)
        assert found == path
        assert found.is_dir()
    assert isinstance(manager.list_structure(), dict)


def test_metadata_and_skims_may_lie_elsewhere(tmp_path):
    manager = OutputDirectoryManager(
        root_output_dir=tmp_path / "out",
        cache_dir=None,
        metadata_dir=tmp_path / "m",
        skimmed_dir=tmp_path / "s",
    )
    assert manager.get_metadata_dir() == tmp_path / "m"
    assert manager.get_skimmed_dir() == tmp_path / "s"
    assert manager.get_dataset_dir("data") == tmp_path / "s" / "data"
