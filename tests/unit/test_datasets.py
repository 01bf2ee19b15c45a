"""Datasets from the configuration, and their files: sorted, each once, all there."""

from __future__ import annotations

import pytest

from hepflow.datasets import (
    ConfigurableDatasetManager,
    dataset_key,
    expand_datasets,
    is_data,
    luminosity_by_year,
    resolve_files,
)
from hepflow.errors import ConfigurationError, FileListError, InputError
from hepflow.schema import Config, DatasetEntry, Datasets
from tests.builders import tiny_config


def entry(**fields):
    return DatasetEntry(**{"name": "mc", "cross_section": 1.0, **fields})


@pytest.fixture
def folder(tmp_path):
    for name in ("b.root", "a.root", "c.txt.root", "d.dat"):
        (tmp_path / name).touch()
    return tmp_path


# -- files -------------------------------------------------------------------------------


def test_a_folder_gives_its_files_sorted(folder):
    names = [str(folder / name) for name in ("a.root", "b.root", "c.txt.root")]
    assert resolve_files(entry(directory=str(folder))) == names
    assert resolve_files(entry(directory=str(folder), file_pattern="*.dat")) == [
        str(folder / "d.dat")
    ]


def test_listings_of_a_folder_precede_its_files(folder):
    (folder / "two.txt").write_text("# a comment\n\nb.root  # here\nroot://far/x.root\n")
    assert resolve_files(entry(directory=str(folder))) == [
        str(folder / "b.root"),
        "root://far/x.root",
    ]


def test_listings_globs_paths_and_urls_can_be_mixed(folder):
    (folder / "list.txt").write_text(f"{folder / 'b.root'}\nhttps://far/y.root\n")
    found = resolve_files(
        entry(files=[str(folder / "list.txt"), str(folder / "a*.root"), "s3://far/z.root"])
    )
    assert found == sorted(
        [str(folder / "b.root"), "https://far/y.root", str(folder / "a.root"), "s3://far/z.root"]
    )
    assert resolve_files(entry(files=str(folder / "a.root"))) == [str(folder / "a.root")]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"files": ["{}/gone.txt"]}, r"'mc': there is no listing .*gone\.txt"),
        ({"files": ["{}/empty.txt"]}, r"'mc': the listing .*empty\.txt is empty"),
        ({"files": ["{}/x*.root"]}, r"'mc': no file matches '.*x\*\.root'"),
        ({"files": ["{}/gone.root"]}, r"'mc': 1 of 1 files do not exist: .*gone\.root"),
        ({"directory": "{}/gone"}, r"'mc': there is no directory .*gone"),
        ({"directory": "{}", "file_pattern": "*.xyz"}, r"'mc': no file in .* matches '\*\.xyz'"),
        ({"files": ["{}/a.root", "{}/a.root"]}, r"'mc': listed more than once: .*a\.root"),
        ({"files": ["{}/a.root", "{}/*.root"]}, r"listed more than once: .*a\.root"),
        ({"files": ["{}/a.root", "{}/../*/a.root"]}, "listed more than once"),
        ({"files": ["{}/a.root", "{}/link.root"]}, "listed more than once"),
        ({"files": ["root://x/a.root", "root://x/a.root"]}, "listed more than once"),
    ],
)
def test_files_that_are_missing_or_repeated_are_errors(folder, fields, message):
    if "empty.txt" in str(fields):
        (folder / "empty.txt").write_text("\n# nothing\n")
    if "link.root" in str(fields):
        (folder / "link.root").symlink_to(folder / "a.root")

    def place(value):
        here = str(folder)
        return value.replace("{}", here) if isinstance(value, str) else [place(v) for v in value]

    with pytest.raises(FileListError, match=message):
        resolve_files(entry(**{name: place(value) for name, value in fields.items()}))


def test_many_missing_files_are_counted_not_listed(folder):
    names = [str(folder / f"gone{i}.root") for i in range(9)]
    with pytest.raises(FileListError, match=r"9 of 9 files do not exist.* and 4 more"):
        resolve_files(entry(files=names))


# -- what is data ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "data", "key"),
    [
        ({"name": "data"}, True, "data"),
        ({"name": "data", "is_data": False, "cross_section": 1.0}, False, "data__nominal"),
        ({"name": "muons", "is_data": True}, True, "muons"),
        ({"name": "data_2016", "process": "data"}, True, "data_2016"),
        ({"name": "data_driven"}, False, "data_driven__nominal"),
        ({"name": "pseudodata"}, False, "pseudodata__nominal"),
    ],
)
def test_data_is_what_says_so_or_has_exactly_that_name(fields, data, key):
    one = DatasetEntry(files=["x.root"], **fields)
    assert (is_data(one), dataset_key(one)) == (data, key)


# -- records -----------------------------------------------------------------------------


def config(tmp_path, *entries, **general):
    return Config.of(tiny_config(tmp_path, entries, general=general))


MC = {"name": "tt", "files": ["x.root"], "cross_section": 364.3}
DATA = {"name": "data", "files": ["d.root"], "is_data": True}


def test_each_dataset_becomes_a_record_with_all_that_later_steps_need(tmp_path):
    mc = {**MC, "process": "ttbar", "k_factor": 1.1, "filter_efficiency": 0.5, "year": 2016,
          "weight_branch": "w", "tree_name": "T", "sumw_source": "runs"}  # fmt: skip
    data = {**DATA, "year": "2018", "lumi_mask": "own.json"}
    simulated, real = expand_datasets(
        config(tmp_path, mc, data, lumi={"2016": 36.0, 2018: 60.0}, lumifile="g.json")
    )
    assert (simulated.key, simulated.process, simulated.year) == ("tt__nominal", "ttbar", "2016")
    assert (simulated.cross_section, simulated.luminosity) == (364.3, 36.0)
    assert (simulated.k_factor, simulated.filter_efficiency) == (1.1, 0.5)
    assert (simulated.weight_branch, simulated.tree_name) == ("w", "T")
    assert (simulated.sumw_source, simulated.lumi_mask, simulated.is_data) == ("runs", None, False)
    assert (real.key, real.is_data, real.lumi_mask) == ("data", True, "own.json")
    assert (real.cross_section, real.luminosity, real.weight_branch) == (None, None, None)


def test_defaults_come_from_the_other_sections(tmp_path):
    made = config(tmp_path, MC, DATA, lumifile="g.json", weight_branch="w")
    simulated, real = expand_datasets(made)
    assert (simulated.weight_branch, simulated.luminosity) == ("w", 100.0)
    assert (simulated.tree_name, real.lumi_mask) == ("Events", "g.json")
    assert luminosity_by_year(made) == {"": 100.0}


def test_only_the_processes_that_are_wanted(tmp_path):
    assert [one.key for one in expand_datasets(config(tmp_path, MC, DATA, processes=["tt"]))] == [
        "tt__nominal"
    ]


def test_luminosity_of_several_years_needs_a_number_each(tmp_path):
    with pytest.raises(
        ConfigurationError, match=r"general\.lumi: one number, but .* several years"
    ):
        config(tmp_path, {**MC, "year": "2016"}, {**MC, "name": "t2", "year": "2018"})


def test_simulation_without_a_cross_section_is_an_error(tmp_path):
    with pytest.raises(ConfigurationError, match=r"datasets\.datasets\[0\]\.cross_section"):
        config(tmp_path, {"name": "tt", "files": ["x.root"]})


# -- the manager -------------------------------------------------------------------------


def manager(folder, **fields):
    (folder / "list.txt").write_text("a.root\nb.root\n")
    entries = [
        {"name": "w_low", "process": "w", "files": str(folder / "b.root"), "cross_section": 2.0},
        {"name": "w_high", "process": "w", "files": str(folder / "a.root"), "cross_section": 1.0},
        {"name": "tt", "files": str(folder / "list.txt"), "cross_section": 3.0, "tree_name": "T"},
        {"name": "data", "directory": str(folder), "is_data": True},
    ]
    return ConfigurableDatasetManager(Datasets(datasets=entries, **fields))


def test_questions_by_process(folder):
    found = manager(folder)
    assert list(found.datasets) == ["w_low", "w_high", "tt", "data"]
    assert found.list_processes() == ["w", "tt", "data"]
    assert found.validate_process("w")
    assert not found.validate_process("w_low")
    assert found.get_cross_section("tt") == 3.0
    assert found.get_cross_section("data") is None
    both = {"w_low__nominal": 2.0, "w_high__nominal": 1.0}
    assert found.get_cross_section("w") == both
    assert found.get_cross_section_map() == {"w": both, "tt": 3.0, "data": None}
    assert (found.get_tree_name("tt"), found.get_tree_name("w")) == ("T", "Events")
    assert found.get_dataset_directory("data") == folder
    assert found.get_dataset_directory("tt") is None


def test_files_of_a_process_are_those_of_its_datasets(folder):
    assert manager(folder).get_files("w") == [str(folder / "b.root"), str(folder / "a.root")]
    assert manager(folder).get_files("tt") == [str(folder / "a.root"), str(folder / "b.root")]


def test_max_files_counts_per_dataset(folder):
    found = manager(folder, max_files=1)
    assert len(found.get_files("w")) == 2
    assert found.get_files("tt") == [str(folder / "a.root")]


def test_the_general_limit_precedes(tmp_path, folder):
    one = {"name": "tt", "files": str(folder / "*.root"), "cross_section": 1.0}
    made = config(tmp_path, one, max_files=2)
    made.datasets.max_files = 1
    assert len(ConfigurableDatasetManager(made.datasets).get_files("tt")) == 2


def test_an_unknown_process_names_the_nearest(folder):
    with pytest.raises(InputError, match=r"no process 'ttt'\. Did you mean 'tt'\?"):
        manager(folder).get_files("ttt")


def test_a_repeated_name_is_an_error():
    twice = Datasets(datasets=[{**MC}, {**MC}])
    with pytest.raises(
        ConfigurationError, match=r"datasets\.datasets\[1\]\.name: .*'tt' is repeated"
    ):
        ConfigurableDatasetManager(twice)


def test_preparing_calls_the_function(folder):
    called = []
    manager(folder, prepare=lambda: called.append(1)).prepare()
    manager(folder).prepare()
    assert called == [1]
