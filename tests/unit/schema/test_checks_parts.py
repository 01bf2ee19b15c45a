"""Checks of switches, execution and blinding: what is senseless is told before a file is opened."""

from __future__ import annotations

import pytest

from hepflow.schema import Config
from tests.unit.schema.examples import changed, problems_in, valid

RANGE = {"channel": "SR", "observable": "mass", "range": (400, 800)}
OUTPUT = "preprocess__skimming__output"

RIGHT = [
    {"general__run_plots_only": True},
    {"general__run_plots_only": True, "statistics": {}},
    {"execution__one_pass": True},
    {"execution__on_missing": "rescale", "general__lumi_table": "lumi.csv"},
    {"execution__on_missing": "rescale", "execution__missing_limit": 0.2},
    {"execution__on_missing": "drop_dataset", "execution__memory_limit": 0.5},
    {"general__run_skimming": False, "general__run_metadata_generation": False},
    {"general__run_histogramming": False},
    {"channels__1__kind": "validation"},
    {"general__blind": True},
    {"general__blind": ["SR", RANGE]},
    {"preprocess__ignore_missing": True, OUTPUT: {"format": "parquet", "output_dir": "x"}},
]


@pytest.mark.parametrize("values", RIGHT)
def test_sensible_combinations(values):
    assert problems_in(changed(**values)) == {}


ALL_OFF = dict.fromkeys(("metadata_generation", "skimming", "histogramming", "statistics"), False)
OFF = {f"general__run_{name}": value for name, value in ALL_OFF.items()}

WRONG = [
    ({**OFF, "plotting__enabled": False}, "general", "every stage is switched off"),
    (
        {"general__run_plots_only": True, "plotting__enabled": False},
        "general.run_plots_only",
        "nothing is drawn where plotting.enabled is False",
    ),
    (
        {"general__run_plots_only": True, "general__analysis": "skip"},
        "general.run_plots_only",
        "nothing is drawn where general.analysis is 'skip'",
    ),
    (
        {"execution__one_pass": True, "general__run_skimming": False},
        "execution.one_pass",
        "general.run_skimming is off",
    ),
    (
        {"execution__one_pass": True, "general__run_histogramming": False},
        "execution.one_pass",
        "no histograms are filled",
    ),
    (
        {"execution__one_pass": True, "general__analysis": "skip"},
        "execution.one_pass",
        "no histograms are filled",
    ),
    (
        {"execution__one_pass": True, OUTPUT: {"format": "root"}},
        "preprocess.skimming.output.format",
        "has no effect with execution.one_pass",
    ),
    (
        {"execution__one_pass": True, "general__skimmed_dir": "x"},
        "general.skimmed_dir",
        "has no effect with execution.one_pass",
    ),
    (
        {"general__lumi_table": "lumi.csv"},
        "general.lumi_table",
        "has no effect without execution.on_missing 'rescale'",
    ),
    (
        {"execution__missing_limit": 0.1},
        "execution.missing_limit",
        "has no effect without execution.on_missing 'rescale'",
    ),
    ({"execution__memory_limit": 0}, "execution.memory_limit", "a number above 0"),
    ({"execution__on_missing": "rescal"}, "execution.on_missing", "Did you mean 'rescale'?"),
    (
        {"channels__0__kind": "validation", "channels__1__kind": "validation"},
        "channels",
        "all channels are for validation",
    ),
    (
        {"channels__1__kind": "validation", "general__channels": ["CR"]},
        "channels",
        "a fit needs a signal or control region",
    ),
    ({"general__blind": "SR"}, "general.blind", "expected true or false, or a list"),
    ({"general__blind": []}, "general.blind", "at least one entry"),
    ({"general__blind": ["SRR"]}, "general.blind[0].channel", "Did you mean 'SR'?"),
    (
        {"general__blind": [{**RANGE, "observable": "mas"}]},
        "general.blind[0].observable",
        "Did you mean 'mass'?",
    ),
    (
        {"general__blind": [{"channel": "SR", "observable": "mass"}]},
        "general.blind[0].range",
        "missing. A blind range is one of an observable",
    ),
    (
        {"general__blind": [{"channel": "SR", "range": (1, 2)}]},
        "general.blind[0].observable",
        "missing",
    ),
    (
        {"general__blind": [{**RANGE, "range": (2, 1)}]},
        "general.blind[0].range",
        "a lower and a higher bound",
    ),
    ({"general__blind": [{**RANGE, "low": 1}]}, "general.blind[0].low", "unknown key"),
]


@pytest.mark.parametrize(("values", "path", "says"), WRONG)
def test_a_senseless_combination_is_reported_at_its_path(values, path, says):
    problems = problems_in(changed(**values))
    assert list(problems) == [path]
    assert says in str(problems[path])


def test_names_of_channels_are_blind_regions():
    built = Config(**changed(general__blind=["SR", RANGE]))
    assert [(one.channel, one.range) for one in built.general.blind] == [
        ("SR", None),
        ("SR", (400.0, 800.0)),
    ]
    assert built.revalidated() == built
    assert Config(**valid()).general.blind is False


def test_everything_about_parts_years_and_sources_is_reported_at_once():
    config = changed(
        general__blind=["SRR"],
        datasets__datasets__0__slices=[{"name": "a"}],
        datasets__datasets__1__variation="x",
        corrections__0__args=["systematic"],
        systematics__1__channels=["S"],
        execution__one_pass=True,
        general__skimmed_dir="x",
    )
    assert list(problems_in(config)) == [
        "general.blind[0].channel",
        "general.skimmed_dir",
        "datasets.datasets[0]",
        "datasets.datasets[0].cross_section",
        "datasets.datasets[0].slices[0]",
        "datasets.datasets[0].slices[0].cross_section",
        "datasets.datasets[1].variation",
        "datasets.datasets[1].process",
        "corrections[0].use",
        "systematics[1].channels[0]",
    ]
