"""Folders are made on request, stay inside the run, and their absence names a step."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from hepflow.errors import MissingArtifact, StorageError, UnsafeContent
from hepflow.output_manager import OutputDirectoryManager, default_cache_dir, require


@pytest.fixture
def manager(tmp_path):
    return OutputDirectoryManager(root_output_dir=tmp_path / "out", cache_dir=tmp_path / "cache")


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("config", "start of a run"),
        ("metadata", "metadata extraction"),
        ("skimmed", "skimming"),
        ("histograms", "histogramming"),
        ("statistics", "statistics step"),
        ("models", "training"),
        ("plots", "plotting"),
        ("report", "report step"),
        ("logs", "start of a run"),
        ("root", "a run of hepflow"),
        ("cache", "caches"),
    ],
)
def test_reading_names_the_step_and_writing_makes_the_folder(manager, name, step):
    get = getattr(manager, f"get_{name}_dir")
    with pytest.raises(MissingArtifact, match=step):
        get(must_exist=True)
    path = get()
    assert path.is_dir()
    assert get(must_exist=True) == path
    assert manager.list_structure()[name] == str(path)


def test_asking_for_the_structure_makes_nothing(manager, tmp_path):
    assert manager.list_structure()["root"] == str(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
    assert "out" in repr(manager)


def test_a_file_of_an_earlier_step_is_required_by_name(tmp_path):
    with pytest.raises(MissingArtifact, match=r"fit\.json does not exist.*made by the fit"):
        require(tmp_path / "fit.json", "the fit")
    assert require(tmp_path, "anything") == tmp_path


@pytest.mark.parametrize("name", ["..", "", "a/b", "/etc", "x\0"])
def test_dataset_names_stay_below_the_skims(manager, name):
    with pytest.raises(UnsafeContent):
        manager.get_dataset_dir(name)


@pytest.mark.parametrize("subpath", ["../x", "a/../../x", "/etc", "", "."])
def test_subfolders_stay_below_their_folder(manager, subpath, tmp_path):
    for get in (manager.get_custom_dir, manager.get_plots_dir):
        with pytest.raises(UnsafeContent):
            get(subpath)
    assert list(tmp_path.iterdir()) == []


def test_the_cache_is_private(manager):
    cache = manager.get_cache_dir()
    assert cache.stat().st_mode & 0o777 == 0o700
    cache.chmod(0o770)
    with pytest.raises(UnsafeContent, match="writable by others"):
        manager.get_cache_dir()


def test_the_default_cache_is_the_users(monkeypatch, tmp_path):
    monkeypatch.setenv("HEPFLOW_CACHE_DIR", str(tmp_path / "c"))
    assert default_cache_dir() == tmp_path / "c"
    assert OutputDirectoryManager(tmp_path).get_cache_dir() == tmp_path / "c"
    monkeypatch.delenv("HEPFLOW_CACHE_DIR")
    assert default_cache_dir().name == "hepflow"


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot make the folder"):
        OutputDirectoryManager(tmp_path / "file").get_metadata_dir()


def test_it_travels_to_workers(manager):
    content = pickle.dumps(manager)
    assert len(content) < 1000
    assert pickle.loads(content).list_structure() == manager.list_structure()


def test_home_is_expanded(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert OutputDirectoryManager("~/out", "~/c").get_root_dir() == Path(tmp_path / "out")
