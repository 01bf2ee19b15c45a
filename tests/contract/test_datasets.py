"""The dataset manager as the contract names it."""

from __future__ import annotations

import inspect

import pytest

from hepflow.datasets import ConfigurableDatasetManager
from hepflow.errors import ConfigurationError
from hepflow.schema import Config, Datasets
from tests.builders import tiny_config, toy_inputs

METHODS = (
    "list_processes",
    "validate_process",
    "get_cross_section",
    "get_dataset_directory",
    "get_tree_name",
    "get_cross_section_map",
    "get_files",
)


def test_the_names_and_their_argument(tmp_path):
    config = Config(**tiny_config(tmp_path, toy_inputs(tmp_path / "in")))
    manager = ConfigurableDatasetManager(config.datasets)
    assert set(manager.datasets) == {"mc", "data"}
    for name in METHODS:
        assert callable(getattr(manager, name))
    for name in METHODS:
        if name.startswith("get_") and not name.endswith("_map"):
            assert list(inspect.signature(getattr(manager, name)).parameters) == ["process"]


def test_what_they_return(tmp_path):
    manager = ConfigurableDatasetManager(Datasets(datasets=toy_inputs(tmp_path / "in")))
    assert manager.list_processes() == ["mc", "data"]
    assert manager.validate_process("mc") is True
    assert manager.validate_process("tt") is False
    assert manager.get_cross_section("mc") == 10.0
    assert manager.get_cross_section_map() == {"mc": 10.0, "data": None}
    assert manager.get_tree_name("mc") == "Events"
    assert [type(file) for file in manager.get_files("mc")] == [str, str]


def test_a_process_of_several_groups_answers_by_dataset_key():
    parts = [
        {"name": name, "directory": name, "cross_section": value}
        for name, value in (("ht100to200", 1.0), ("ht200", 2.0))
    ]
    manager = ConfigurableDatasetManager(Datasets(datasets=[{"name": "wjets", "slices": parts}]))
    keys = ["wjets_ht100to200__nominal", "wjets_ht200__nominal"]
    assert manager.get_cross_section("wjets") == dict(zip(keys, (1.0, 2.0), strict=True))
    assert list(manager.get_dataset_directory("wjets")) == keys
    assert manager.get_cross_section_map() == {"wjets": manager.get_cross_section("wjets")}


def test_duplicate_names_are_an_error(tmp_path):
    one = toy_inputs(tmp_path / "in")[0]
    with pytest.raises(ConfigurationError):
        ConfigurableDatasetManager(Datasets(datasets=[one, one]))
