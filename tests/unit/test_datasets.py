"""Datasets from the configuration, as records and by process."""

from __future__ import annotations

from pathlib import Path

import pytest

from hepflow.datasets import (
    ConfigurableDatasetManager,
    expand_datasets,
    groups_of,
    luminosity_by_year,
)
from hepflow.errors import ConfigurationError, InputError
from hepflow.records import WHERE_KNOWN
from hepflow.schema import Config, DatasetEntry, Datasets
from tests.builders import tiny_config


@pytest.fixture
def folder(tmp_path):
    for name in ("b.root", "a.root", "c.txt.root", "d.dat"):
        (tmp_path / name).touch()
    return tmp_path


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
    assert [(group.is_data, group.key) for group in groups_of(one)] == [(data, key)]


# -- normalisation groups ----------------------------------------------------------------


def keys(**fields):
    """Keys, cross-sections, years and directories of an entry's groups."""
    found = groups_of(DatasetEntry(name="w", **fields))
    return [(one.key, one.cross_section, one.year, one.directories) for one in found]


ZIPPED = [
    (
        {"directory": "a", "cross_section": 1.0, "year": 2016},
        [("w__nominal", 1.0, "2016", ("a",))],
    ),
    (
        {"directories": ["a", "b"], "cross_section": 1.0},
        [("w__nominal", 1.0, None, ("a", "b"))],
    ),
    (
        {"directories": ["a", "b"], "cross_section": [1.0]},
        [("w__nominal", 1.0, None, ("a", "b"))],
    ),
    (
        {"directories": ["a", "b"], "cross_section": [1.0, 2.0]},
        [("w_0__nominal", 1.0, None, ("a",)), ("w_1__nominal", 2.0, None, ("b",))],
    ),
    (
        {"directories": ["a", "b"], "cross_section": 1.0, "years": [2016, 2017]},
        [
            ("w_2016__nominal", 1.0, "2016", ("a",)),
            ("w_2017__nominal", 1.0, "2017", ("b",)),
        ],
    ),
    (
        {"directories": ["a", "b", "c"], "cross_section": 1.0, "years": [2016, 2016, 2017]},
        [
            ("w_2016__nominal", 1.0, "2016", ("a", "b")),
            ("w_2017__nominal", 1.0, "2017", ("c",)),
        ],
    ),
    (
        {
            "directories": ["a", "b", "c"],
            "cross_section": [1.0, 2.0, 3.0],
            "years": [2016, 2016, 2017],
        },
        [
            ("w_0_2016__nominal", 1.0, "2016", ("a",)),
            ("w_1_2016__nominal", 2.0, "2016", ("b",)),
            ("w_2017__nominal", 3.0, "2017", ("c",)),
        ],
    ),
    (
        {"directories": ["a", "b"], "is_data": True, "years": [2016, 2017]},
        [("w_2016", None, "2016", ("a",)), ("w_2017", None, "2017", ("b",))],
    ),
    (
        {"directory": "a", "cross_section": 1.0, "variation": "ps_up"},
        [("w__ps_up", 1.0, None, ("a",))],
    ),
]


@pytest.mark.parametrize(("fields", "groups"), ZIPPED)
def test_directories_cross_sections_and_years_go_side_by_side(fields, groups):
    assert keys(**fields) == groups


def test_slices_have_names():
    parts = [
        {"name": "ht100to200", "directory": "a", "cross_section": 1.0, "k_factor": 2.0},
        {"name": "ht200", "files": ["b.root"], "cross_section": 0.5, "filter_efficiency": 0.1},
    ]
    low, high = groups_of(
        DatasetEntry(name="wjets", slices=parts, k_factor=1.5, filter_efficiency=0.5)
    )
    assert (low.key, high.key) == ("wjets_ht100to200__nominal", "wjets_ht200__nominal")
    assert (low.directories, low.files) == (("a",), ())
    assert (high.directories, high.files) == ((), ("b.root",))
    assert (low.k_factor, low.filter_efficiency) == (2.0, 0.5)
    assert (high.k_factor, high.filter_efficiency) == (1.5, 0.1)


def test_slices_of_several_years_have_the_year_in_their_keys():
    parts = [
        {"name": "ht100to200", "directory": one, "cross_section": 1.0, "year": year}
        for one, year in (("a", 2016), ("b", 2017))
    ]
    found = [one.key for one in groups_of(DatasetEntry(name="wjets", slices=parts))]
    assert found == ["wjets_ht100to200_2016__nominal", "wjets_ht100to200_2017__nominal"]
    for one in parts:
        del one["year"]
    zipped = DatasetEntry(name="wjets", slices=parts, years=[2016, 2017])
    assert [one.key for one in groups_of(zipped)] == found
    single = DatasetEntry(name="wjets", slices=parts[:1], year=2016)
    assert [one.key for one in groups_of(single)] == ["wjets_ht100to200__nominal"]


def test_each_year_has_its_luminosity(tmp_path):
    entry = {**MC, "files": None, "directories": ["a", "b"], "years": [2016, 2017]}
    found = expand_datasets(config(tmp_path, entry, lumi={"2016": 36.0, "2017": 41.0}))
    assert {one.key: (one.year, one.luminosity) for one in found} == {
        "tt_2016__nominal": ("2016", 36.0),
        "tt_2017__nominal": ("2017", 41.0),
    }


def test_an_alternative_sample_replaces_those_of_its_process_and_year(tmp_path):
    other = {**MC, "name": "alt", "process": "tt", "variation": "ps_up", "year": 2017}
    entries = [
        {**MC, "files": None, "directories": ["a", "b"], "years": [2016, 2017]},
        {**MC, "name": "more", "process": "tt", "year": 2017},
        {**MC, "name": "w", "year": 2017},
        other,
    ]
    source = {"name": "ps", "type": "sample"}
    general = {"lumi": {"2016": 36.0, "2017": 41.0}}
    made = Config.of(tiny_config(tmp_path, entries, general=general, systematics=[source]))
    assert expand_datasets(made)[-1].replaces == ("tt_2017__nominal", "more__nominal")
    made.datasets.datasets[-1].replaces = "more"
    assert expand_datasets(made)[-1].replaces == ("more__nominal",)


def duplicates(made):
    return [one.duplicates for one in expand_datasets(made)]


@pytest.mark.parametrize(("fields", "how"), [({}, "once"), ({"duplicates": "refuse"}, "refuse")])
def test_repeated_data_is_counted_once_unless_the_configuration_says_else(tmp_path, fields, how):
    made = config(tmp_path, MC, {**DATA, **fields})
    assert duplicates(made) == ["keep", how]
    made.preprocess.branches["event"].remove("event")
    assert duplicates(made) == ["keep", WHERE_KNOWN if how == "once" else how]


def test_events_of_several_datasets_of_data_must_have_numbers(tmp_path):
    more = {**DATA, "name": "more"}
    made = config(tmp_path, MC, DATA, more)
    made.preprocess.branches["event"].remove("event")
    assert duplicates(made) == ["keep", "once", "once"]
    made.general.processes = ["tt", "more"]
    assert duplicates(made) == ["keep", WHERE_KNOWN]
    made = config(tmp_path, MC, {**DATA, "duplicates": "keep"}, more)
    made.preprocess.branches["event"].remove("event")
    assert duplicates(made) == ["keep", "keep", WHERE_KNOWN]


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


def test_questions_about_several_groups_are_answered_by_key(folder):
    entry = {"name": "w", "directories": [str(folder), "b"], "cross_section": [1.0, 2.0]}
    found = ConfigurableDatasetManager(Datasets(datasets=[entry]))
    assert found.get_cross_section("w") == {"w_0__nominal": 1.0, "w_1__nominal": 2.0}
    assert found.get_dataset_directory("w") == {"w_0__nominal": folder, "w_1__nominal": Path("b")}
    assert found.get_tree_name("w") == "Events"
    pooled = {**entry, "cross_section": 1.0, "directories": [str(folder), str(folder / "more")]}
    (folder / "more").mkdir()
    (folder / "more" / "e.root").touch()
    found = ConfigurableDatasetManager(Datasets(datasets=[pooled]))
    assert found.get_cross_section("w") == 1.0
    assert found.get_dataset_directory("w") == [folder, folder / "more"]
    assert [Path(one).name for one in found.get_files("w")] == [
        "a.root", "b.root", "c.txt.root", "e.root"
    ]  # fmt: skip


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
