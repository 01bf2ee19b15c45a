"""Nothing is written outside of its folder, and a cache that others may change is not used."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from hepflow import storage
from hepflow.datasets import ConfigurableDatasetManager
from hepflow.errors import ConfigurationError, StorageError, UnsafeContent
from hepflow.output_manager import OutputDirectoryManager
from hepflow.schema import Config
from tests.builders import tiny_config

BAD_NAMES = [
    "",
    ".",
    "..",
    "../x",
    "a/b",
    "/etc",
    "a\\b",
    "..\\x",
    "a\0b",
    "a\nb",
    "a\rb",
    "\x1b[2J",
    "a\u202egpj",  # shown as "ajpg"
    "a\u200bb",
    "a\u2028b",
    "\ufeff",
    "a" * 256,
    "\u00e9" * 128,  # 256 bytes
]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_are_none(tmp_path, name):
    manager = OutputDirectoryManager(root_output_dir=tmp_path / "out", cache_dir=tmp_path / "cache")
    with pytest.raises(UnsafeContent):
        storage.safe_join(tmp_path, name)
    with pytest.raises(UnsafeContent):
        manager.get_dataset_dir(name)
    if "/" not in name and name not in {"", "."}:  # there these name folders in folders
        with pytest.raises(UnsafeContent):
            manager.get_plots_dir(name)
    assert sorted(path.name for path in tmp_path.rglob("*")) in ([], ["out"], ["out", "plots"])


@pytest.mark.parametrize("name", ["../x", "/etc", "a/../../x", "a/../../../etc"])
def test_folders_in_folders_stay_inside(tmp_path, name):
    manager = OutputDirectoryManager(root_output_dir=tmp_path / "out", cache_dir=tmp_path / "cache")
    with pytest.raises(UnsafeContent):
        manager.get_plots_dir(name)
    with pytest.raises(UnsafeContent):
        manager.get_custom_dir(name)


FIELDS = {
    "dataset": lambda config, name: config["datasets"]["datasets"][0].update(name=name),
    "process": lambda config, name: config["datasets"]["datasets"][0].update(process=name),
    "variation": lambda config, name: config["datasets"]["datasets"][0].update(variation=name),
    "channel": lambda config, name: config["channels"][0].update(name=name),
    "observable": lambda config, name: config["channels"][0]["observables"][0].update(name=name),
    "cut": lambda config, name: config["channels"][0]["selection"]["cuts"][0].update(name=name),
}


@pytest.mark.parametrize(
    "name",
    [
        *BAD_NAMES[:16],
        "-rf",
        ".hidden",
        "a b",
        "a\n",
        "a__b",
        "\u0430",
        "e\u0301",
        "$(id)",
        "a;b",
        "~",
    ],
)
@pytest.mark.parametrize("field", FIELDS)
def test_names_of_the_configuration(tmp_path, field, name):
    config = tiny_config(tmp_path, [{"name": "mc", "files": ["x.root"], "cross_section": 1.0}])
    Config(**config)
    FIELDS[field](config, name)
    with pytest.raises(ConfigurationError, match=r"name|process|variation"):
        Config(**config)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("year", ["../../../x", "/etc", "a/b", "\x1b[2J", "a" * 300])
def test_years_that_become_part_of_a_folder(tmp_path, year):
    folders = [str(tmp_path / "in")] * 2
    dataset = {"name": "mc", "directories": folders, "cross_section": 1.0, "year": [year, "2017"]}
    config = tiny_config(tmp_path, [dataset], general={"lumi": {year: 1.0, "2017": 1.0}})
    (group, _) = ConfigurableDatasetManager(Config(**config).datasets).groups("mc")
    assert year in group.key
    manager = OutputDirectoryManager(root_output_dir=tmp_path / "out", cache_dir=tmp_path / "cache")
    with pytest.raises(UnsafeContent):
        manager.get_dataset_dir(group.key)
    assert not list(tmp_path.iterdir())


# -- the output folder -------------------------------------------------------------------

GETTERS = {
    "config": "get_config_dir",
    "metadata": "get_metadata_dir",
    "skimmed": "get_skimmed_dir",
    "histograms": "get_histograms_dir",
    "statistics": "get_statistics_dir",
    "models": "get_models_dir",
    "plots": "get_plots_dir",
    "report": "get_report_dir",
    "logs": "get_logs_dir",
}


@pytest.mark.parametrize("name", GETTERS)
def test_a_folder_that_is_a_link_out_of_the_output_is_refused(tmp_path, name):
    elsewhere, out = tmp_path / "elsewhere", tmp_path / "out"
    elsewhere.mkdir()
    out.mkdir()
    (out / name).symlink_to(elsewhere)
    manager = OutputDirectoryManager(root_output_dir=out, cache_dir=tmp_path / "cache")
    with pytest.raises(UnsafeContent, match="through a link"):
        getattr(manager, GETTERS[name])()
    assert not list(elsewhere.iterdir())


def test_links_deeper_in_the_output(tmp_path):
    elsewhere, out = tmp_path / "elsewhere", tmp_path / "out"
    elsewhere.mkdir()
    for name in ("plots", "skimmed"):
        (out / name).mkdir(parents=True)
    (out / "plots" / "SR").symlink_to("/etc")
    (out / "skimmed" / "mc__nominal").symlink_to(elsewhere)
    (out / "plots" / "loop").symlink_to(out / "plots" / "loop")
    manager = OutputDirectoryManager(root_output_dir=out, cache_dir=tmp_path / "cache")
    with pytest.raises(UnsafeContent, match="through a link"):
        manager.get_plots_dir("SR")
    with pytest.raises(UnsafeContent, match="through a link"):
        manager.get_plots_dir("loop")
    with pytest.raises(UnsafeContent, match="through a link"):
        manager.get_dataset_dir("mc__nominal")
    assert not list(elsewhere.iterdir())


def test_links_that_stay_inside_and_folders_that_are_named_are_used(tmp_path):
    out, scratch = tmp_path / "out", tmp_path / "scratch"
    (out / "large").mkdir(parents=True)
    (out / "plots").symlink_to(out / "large")
    (tmp_path / "link").symlink_to(out)
    manager = OutputDirectoryManager(
        root_output_dir=tmp_path / "link", cache_dir=tmp_path / "cache", skimmed_dir=scratch
    )
    assert manager.get_plots_dir("SR").resolve() == (out / "large" / "SR").resolve()
    assert manager.get_skimmed_dir() == scratch


def test_an_output_folder_that_is_a_file(tmp_path):
    (tmp_path / "out").write_text("mine")
    manager = OutputDirectoryManager(root_output_dir=tmp_path / "out", cache_dir=tmp_path / "cache")
    for getter in GETTERS.values():
        with pytest.raises(StorageError, match="out"):
            getattr(manager, getter)()
    assert (tmp_path / "out").read_text() == "mine"


# -- the cache ---------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777, 0o1777, 0o722])
def test_a_cache_that_others_may_write(tmp_path, mode):
    cache = tmp_path / "cache"
    cache.mkdir()
    cache.chmod(mode)
    manager = OutputDirectoryManager(root_output_dir=tmp_path / "out", cache_dir=cache)
    with pytest.raises(UnsafeContent, match=r"writable by others.*chmod go-w"):
        manager.get_cache_dir()
    assert stat.S_IMODE(cache.stat().st_mode) == mode  # nothing is mended behind one's back


def test_a_cache_that_is_a_link_a_file_or_somebody_elses(tmp_path, monkeypatch):
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "file").write_text("")
    for name in ("link", "file"):
        with pytest.raises(StorageError):
            storage.private_folder(tmp_path / name)
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    with pytest.raises(UnsafeContent, match="belongs to user id"):
        storage.private_folder(tmp_path / "real")


def test_a_way_to_the_cache_that_everybody_may_change(tmp_path):
    shared = tmp_path / "shared"
    (shared / "mine").mkdir(parents=True, mode=0o700)
    for cache in (shared / "cache", shared / "mine" / "cache"):
        shared.chmod(0o777)
        with pytest.raises(UnsafeContent, match="everybody may rename it"):
            storage.private_folder(cache)
        shared.chmod(0o1777)  # as /tmp: only its owner renames a folder
        assert storage.private_folder(cache) == cache
        shared.chmod(0o755)
        assert storage.private_folder(cache) == cache


def test_whatever_the_umask_the_cache_is_for_its_owner_only(tmp_path):
    before = os.umask(0)
    try:
        cache = storage.private_folder(tmp_path / "new" / "cache")
        inner = storage.private_folder(cache / "duplicates")
        storage.write_part(inner / "a.pkl", {"a": 1})
    finally:
        os.umask(before)
    for folder in (cache, inner, tmp_path / "new"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_files_are_as_private_as_the_users_umask_says(tmp_path):
    before = os.umask(0o077)
    try:
        storage.write_json(tmp_path / "a.json", {})
        storage.write_part(tmp_path / "a.pkl", {})
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_a_traceback_in_the_folder_for_temporary_files_is_private(tmp_path, monkeypatch):
    from hepflow.cli.endings import Guard

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = os.umask(0)
    try:
        assert Guard().run(lambda: 1 // 0) == 1
    finally:
        os.umask(before)
    (kept,) = tmp_path.iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert Path(kept).is_file()
