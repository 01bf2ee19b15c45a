"""Checks of datasets: parts of one, alternative samples, years."""

from __future__ import annotations

import pytest

from hepflow.datasets import groups_of
from hepflow.schema import Config, DatasetEntry
from tests.unit.schema.examples import changed, problems_in, valid

DATASET = "datasets.datasets[0]"
SAMPLE = {"name": "ps", "type": "sample"}
MORE = {"name": "shower", "files": "s.root", "cross_section": 1.0, "process": "signal",
        "variation": "ps_up"}  # fmt: skip


def dataset(**fields):
    """Change the first dataset: these fields instead of its directory."""
    return changed(datasets__datasets__0={"name": "signal", **fields})


def slices(*names, **fields):
    """Write one slice for each name."""
    return [{"name": name, "files": f"{name}.root", "cross_section": 1.0, **fields}
            for name in names]  # fmt: skip


def with_sample(**fields):
    """Add an alternative sample of the signal, with its source."""
    config = valid()
    config["datasets"]["datasets"].append({**MORE, **fields})
    config["systematics"].append(SAMPLE)
    return config


RIGHT = [
    {"slices": slices("a", "b")},
    {"slices": slices("a", "b"), "k_factor": 2.0},
    {"slices": [{"name": "a", "directory": "in"}], "is_data": True, "lumi_mask": "c.json",
     "duplicates": "refuse", "process": "more"},
    {"directories": ["a", "b"], "cross_section": [1.0, 2.0]},
    {"directories": ["a", "b"], "cross_sections": 1.0},
    {"directory": ["a"], "cross_section": [1.0], "years": [2018]},
    {"files": "a.root", "cross_section": 1.0, "redirector": "root://x/", "branch_map": {"a": "b"}},
]  # fmt: skip


@pytest.mark.parametrize("fields", RIGHT)
def test_parts_of_a_dataset(fields):
    assert problems_in(dataset(**fields)) == ({} if "process" not in fields else signal_is_gone())


def signal_is_gone():
    """Problems of a configuration without its signal."""
    config = valid()
    config["datasets"]["datasets"][0]["process"] = "more"
    return problems_in(config)


# fields of the dataset, where it is reported, what the message says
WRONG = [
    ({"cross_section": 1.0}, DATASET, "`directory`, `files` or `slices`, but got neither"),
    (
        {"slices": slices("a"), "files": "x.root"},
        DATASET,
        "but got both",
    ),
    (
        {"slices": slices("a"), "files": "x.root", "directory": "d"},
        DATASET,
        "but got directory and files and slices",
    ),
    (
        {"slices": [{"name": "a", "cross_section": 1.0}]},
        f"{DATASET}.slices[0]",
        "either `directory` or `files`, but got neither",
    ),
    (
        {"slices": [{"name": "a", "files": "x.root"}]},
        f"{DATASET}.slices[0].cross_section",
        "missing",
    ),
    (
        {"slices": slices("a"), "cross_section": 1.0},
        f"{DATASET}.cross_section",
        "no effect beside `slices`",
    ),
    (
        {"slices": slices("a", "a")},
        f"{DATASET}.slices[1].name",
        f"the name 'a' stands already at {DATASET}.slices[0]",
    ),
    (
        {"slices": slices("a", "b", k_factor=1.5), "k_factor": 2.0},
        f"{DATASET}.k_factor",
        "has no effect where each slice has its own",
    ),
    (
        {"slices": slices("a", year="2018"), "year": "2018"},
        f"{DATASET}.year",
        "has no effect where each slice has its own",
    ),
    (
        {"slices": slices("a"), "file_pattern": "*.txt"},
        f"{DATASET}.file_pattern",
        "no effect beside `slices`",
    ),
    (
        {"slices": slices("a", "b"), "year": ["2018"] * 3},
        f"{DATASET}.year",
        "3 values for 2 entries of `slices`",
    ),
    (
        {"directories": ["a", "b"], "cross_section": [1.0, 2.0, 3.0]},
        f"{DATASET}.cross_section",
        "3 values for 2 entries of `directory`",
    ),
    (
        {"files": "x.root", "cross_section": [1.0, 2.0]},
        f"{DATASET}.cross_section",
        "Give as many in `directories`, or use `slices`",
    ),
    (
        {"directory": "a", "cross_section": "1 pb"},
        f"{DATASET}.cross_section",
        "a number, or a list",
    ),
    ({"directory": [], "cross_section": 1.0}, f"{DATASET}.directory", "at least one entry"),
    (
        {"directory": "a", "cross_section": 1.0, "year": [2018, 5.5]},
        f"{DATASET}.year[1]",
        "expected a text, but got 5.5",
    ),
    (
        {"directory": "a", "cross_section": [1.0, -1.0]},
        f"{DATASET}.cross_section[1]",
        "a number above 0",
    ),
    ({"directory": "a", "cross_section": 1.0, "duplicates": "once"}, f"{DATASET}.duplicates",
     "no effect for simulation"),
    ({"directory": "a", "cross_section": 1.0, "replaces": "wjets"}, f"{DATASET}.replaces",
     "no effect for a nominal sample"),
    ({"directory": "a", "cross_section": 1.0, "branch_map": {"a": 5}}, f"{DATASET}.branch_map.a",
     "expected a text"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "path", "says"), WRONG)
def test_a_wrong_part_is_reported_at_its_path(fields, path, says):
    problems = problems_in(dataset(**fields))
    assert path in problems
    assert says in str(problems[path])


def test_data_in_slices_has_no_normalisation():
    part = {"name": "a", "files": "d.root", "cross_section": 1.0, "k_factor": 2.0}
    problems = problems_in(
        changed(datasets__datasets__3={"name": "data", "is_data": True, "slices": [part]})
    )
    where = "datasets.datasets[3].slices[0]"
    assert list(problems) == [f"{where}.cross_section", f"{where}.k_factor"]


def test_two_datasets_with_parts_of_one_name():
    config = dataset(slices=slices("a", "b"))
    config["datasets"]["datasets"][2]["name"] = "signal_b"
    config["datasets"]["datasets"][2]["process"] = "wjets"
    problems = problems_in(config)
    assert list(problems) == ["datasets.datasets[2].name"]
    assert "'signal_b' has the name of a part of datasets.datasets[0]" in str(
        problems["datasets.datasets[2].name"]
    )


OVERLAPPING = [
    ({"directories": ["a", "b"], "cross_section": [1.0, 2.0], "year": 2017}, "signal_1"),
    ({"directories": ["a", "b"], "cross_section": 1.0, "years": [2017, 2018]}, "signal_2018"),
    ({"directories": ["a", "b"], "cross_section": [1.0, 2.0], "years": [2017, 2018]},
     "signal_2017"),
    ({"directories": ["a"] * 3, "cross_section": [1.0] * 3, "years": [2017, 2018, 2018]},
     "signal_1_2018"),
    ({"slices": [*slices("a", year=2017), *slices("a", year=2018)]}, "signal_a_2018"),
    ({"slices": slices("a", "b"), "year": 2017}, "signal_b"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "name"), OVERLAPPING)
def test_the_name_of_a_part_is_taken(fields, name):
    config = dataset(**fields)
    config["general"]["lumi"] = {"2017": 1.0, "2018": 2.0}
    entries = config["datasets"]["datasets"]
    keys = {group.stem for group in groups_of(DatasetEntry(**entries[0]))}
    for one in entries[1:]:
        one["year"] = "2018"
    entries[1]["year"] = "2017"
    assert name in keys
    assert problems_in(config) == {}
    entries[2] |= {"name": name, "process": "wjets"}
    assert list(problems_in(config)) == ["datasets.datasets[2].name"]
    entries[2]["name"] = f"{name}_more"
    assert problems_in(config) == {}


# -- alternative samples -----------------------------------------------------------------


@pytest.mark.parametrize("fields", [{}, {"replaces": "signal"}, {"replaces": ["signal"]}])
def test_an_alternative_sample(fields):
    assert problems_in(with_sample(**fields)) == {}


ALTERNATIVES = [
    ({"variation": "ps"}, "variation", "expected <source>_up or <source>_down"),
    ({"variation": "fs_up"}, "variation", "but got 'fs_up'"),
    ({"variation": "top_pt_up"}, "variation", "of a source of type 'sample'"),
    ({"is_data": True, "cross_section": None}, "variation", "data has no variations"),
    ({"process": "other"}, "process", "has no nominal dataset that it could replace"),
    ({"replaces": "signl"}, "replaces[0]", "Did you mean 'signal'?"),
    ({"replaces": ["wjets"]}, "replaces[0]", "is of the process 'wjets', not 'signal'"),
]


@pytest.mark.parametrize(("fields", "field", "says"), ALTERNATIVES)
def test_a_wrong_alternative_is_reported_at_its_path(fields, field, says):
    path = f"datasets.datasets[4].{field}"
    problems = problems_in(with_sample(**fields))
    assert path in problems
    assert says in str(problems[path])


def test_an_alternative_sample_has_the_year_of_what_it_replaces():
    config = with_sample(year="2018")
    path = "datasets.datasets[4].year"
    assert "of the year '2018'" in str(problems_in(config)[path])
    config["datasets"]["datasets"][0]["year"] = 2018
    assert problems_in(config) == {}
    del config["datasets"]["datasets"][4]["year"]
    assert "without a year" in str(problems_in(config)[path])


def test_a_source_of_samples_needs_one():
    problems = problems_in(changed(systematics=[SAMPLE]))
    assert list(problems) == ["systematics[0].name"]
    assert "no dataset has the variation ps_up or ps_down" in str(problems["systematics[0].name"])


def test_only_a_single_sample_can_be_reflected():
    config = with_sample()
    config["systematics"][-1] = {**SAMPLE, "symmetrise": True}
    assert problems_in(config) == {}
    config["datasets"]["datasets"].append({**MORE, "name": "s2", "variation": "ps_down"})
    assert list(problems_in(config)) == ["systematics[2].symmetrise"]


# -- years -------------------------------------------------------------------------------


def by_year(**sections):
    """All datasets of 2017, but the last two of 2018."""
    config = changed(general__lumi={"2017": 1.0, "2018": 2.0}, **sections)
    for entry, year in zip(config["datasets"]["datasets"], (2017, 2017, 2018, 2018), strict=True):
        entry["year"] = year
    return config


def test_sections_by_year():
    listed = valid()["corrections"]
    config = by_year(corrections={2017: listed, "2018": listed}, systematics={2017: [], 2018: []})
    assert problems_in(config) == {}
    assert list(Config(**config).corrections) == ["2017", "2018"]
    assert Config(**config).corrections["2018"][0].path == "corrections.2018[0]"


def test_every_year_is_there_and_no_other():
    problems = problems_in(by_year(corrections={"2017": [], "2081": []}))
    assert list(problems) == ["corrections", "corrections.2081"]
    assert "nothing for the year '2018'" in problems["corrections"].message
    assert "Write '2018': []" in problems["corrections"].hint
    assert "Did you mean '2018'" in problems["corrections.2081"].hint


def test_sections_by_year_need_years_in_the_datasets():
    problems = problems_in(changed(corrections={"2017": []}))
    assert set(problems) == {f"datasets.datasets[{i}].year" for i in range(3)}  # not data
    assert "`corrections` is given by year" in problems["datasets.datasets[0].year"].message


def test_a_wrong_entry_of_a_year_is_reported_at_its_path():
    broken = [{**valid()["corrections"][0], "file": None}]
    problems = problems_in(by_year(corrections={"2017": broken, "2018": []}))
    assert list(problems) == ["corrections.2017[0].file"]
    typed = [{**valid()["corrections"][0], "op": "times"}]
    problems = problems_in(by_year(corrections={"2017": typed, "2018": []}))
    assert "corrections.2017[0].op" in problems


def test_a_source_of_its_own_in_each_year_needs_years():
    problems = problems_in(changed(systematics__0__correlation="uncorrelated"))
    assert list(problems) == ["systematics[0].correlation"]
    config = by_year(systematics__0__correlation="uncorrelated")
    assert problems_in(config) == {}
    source = "corrections__1__uncertainty_sources__0__correlation"
    assert list(problems_in(changed(**{source: "uncorrelated"}))) == [
        "corrections[1].uncertainty_sources[0].correlation"
    ]


def test_years_of_slices_count():
    parts = [*slices("a", year=2017), *slices("b", year=2018)]
    problems = problems_in(dataset(slices=parts))
    assert list(problems) == ["general.lumi"]
