"""Each mistake is reported once, with its path, what was expected, and what to do."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hepflow.errors import ConfigurationError
from hepflow.schema import Config
from tests.unit.schema.examples import REMOVE, changed, mask, number, problems_in, valid

OBSERVABLE = "channels__0__observables__0"
AT_OBSERVABLE = "channels[0].observables[0]"


def test_the_example_is_valid():
    assert problems_in(valid()) == {}


# what is changed, to what, where it is reported, what the message says
WRONG_VALUES = [
    ("general__lumi", -1, "general.lumi", "a number above 0, or a mapping (dict), but got -1"),
    ("general__lumi", 0, "general.lumi", "a number above 0"),
    ("general__lumi", math.nan, "general.lumi", "a finite number"),
    ("general__lumi", math.inf, "general.lumi", "a finite number"),
    ("general__lumi", "59.7", "general.lumi", "a number, or a mapping (dict), but got '59.7'"),
    ("general__lumi", True, "general.lumi", "but got True"),
    ("general__max_files", 0, "general.max_files", "a number above 0, but got 0"),
    ("general__max_files", 1.5, "general.max_files", "a whole number, but got 1.5"),
    ("general__max_files", "many", "general.max_files", "a number, but got 'many'"),
    ("general__run_skimming", "yes", "general.run_skimming", "true or false"),
    ("general__output_dir", "", "general.output_dir", "a text that is not empty"),
    ("general__processes", [], "general.processes", "at least one entry"),
    ("general__processes", ["wjet"], "general.processes[0]", "Did you mean 'wjets'?"),
    ("general__channels", ["SRR"], "general.channels[0]", "Did you mean 'SR'?"),
    ("datasets__datasets", [], "datasets.datasets", "at least one entry"),
    ("datasets__datasets__0__cross_section", -1.0, "datasets.datasets[0].cross_section", "above 0"),
    ("datasets__datasets__0__k_factor", 0, "datasets.datasets[0].k_factor", "above 0"),
    (
        "datasets__datasets__0__filter_efficiency",
        1.01,
        "datasets.datasets[0].filter_efficiency",
        "a number of at most 1",
    ),
    ("datasets__datasets__0__name", "a/b", "datasets.datasets[0].name", "a name of letters"),
    ("datasets__datasets__1__files", [], "datasets.datasets[1].files", "at least one entry"),
    ("preprocess__branches__Muon", [], "preprocess.branches.Muon", "at least one entry"),
    ("preprocess__branches__Muon", ["pt", 5], "preprocess.branches.Muon[1]", "expected a text"),
    ("preprocess__skimming__chunk_size", 0, "preprocess.skimming.chunk_size", "above 0"),
    ("preprocess__skimming__max_retries", -1, "preprocess.skimming.max_retries", "at least 0"),
    (f"{OBSERVABLE}__binning", [3, 2, 1], f"{AT_OBSERVABLE}.binning", "increasing bin edges"),
    (f"{OBSERVABLE}__binning", [1, 1], f"{AT_OBSERVABLE}.binning", "increasing bin edges"),
    (f"{OBSERVABLE}__binning", [1], f"{AT_OBSERVABLE}.binning", "two or more bin edges"),
    (f"{OBSERVABLE}__binning", [0, math.nan], f"{AT_OBSERVABLE}.binning[1]", "finite number"),
    (f"{OBSERVABLE}__binning", "0,10,0", f"{AT_OBSERVABLE}.binning", "with 1 to"),
    (f"{OBSERVABLE}__binning", "10,0,5", f"{AT_OBSERVABLE}.binning", "finite low < high"),
    (f"{OBSERVABLE}__binning", "0,inf,5", f"{AT_OBSERVABLE}.binning", "finite low < high"),
    (f"{OBSERVABLE}__binning", "0,10", f"{AT_OBSERVABLE}.binning", '"low,high,nbins"'),
    (f"{OBSERVABLE}__binning", "0,10,2.5", f"{AT_OBSERVABLE}.binning", '"low,high,nbins"'),
    (f"{OBSERVABLE}__use", "Muon.pt", f"{AT_OBSERVABLE}.use", "expected a list"),
    (f"{OBSERVABLE}__use", [], f"{AT_OBSERVABLE}.use", "at least one entry"),
    (f"{OBSERVABLE}__use", [5], f"{AT_OBSERVABLE}.use[0]", '("Muon", "pt") or "Muon.pt"'),
    (f"{OBSERVABLE}__use", [("Muon", "")], f"{AT_OBSERVABLE}.use[0]", "expected a column"),
    (f"{OBSERVABLE}__use", ["Muno.pt"], f"{AT_OBSERVABLE}.use[0]", "Did you mean 'Muon'?"),
    (f"{OBSERVABLE}__use", ["HLT_TkMu50"], f"{AT_OBSERVABLE}.use[0]", '("event", "HLT_TkMu50")'),
    (f"{OBSERVABLE}__function", "f", f"{AT_OBSERVABLE}.function", "expected a function"),
    (f"{OBSERVABLE}__function", REMOVE, f"{AT_OBSERVABLE}.function", "missing"),
    (f"{OBSERVABLE}__name", "a__b", f"{AT_OBSERVABLE}.name", "without '__'"),
    ("channels__0__observables", [], "channels[0].observables", "at least one entry"),
    ("channels__0__fit_observable", "mas", "channels[0].fit_observable", "Did you mean 'mass'?"),
    ("channels__0__kind", "signl", "channels[0].kind", "Did you mean 'signal'?"),
    ("channels__0__kind", 5, "channels[0].kind", "'control' or 'validation', but got 5"),
    ("corrections__1__target", REMOVE, "corrections[1].target", "needs the column"),
    ("corrections__0__file", REMOVE, "corrections[0].file", "missing"),
    ("corrections__0__up_and_down_idx", ["up"], "corrections[0].up_and_down_idx[1]", "missing"),
    ("corrections__0__out_of_range", "clmp", "corrections[0].out_of_range", "mean 'clamp'"),
    ("systematics__0__size", 1.5, "systematics[0].size", "a number below 1"),
    ("systematics__0__size", REMOVE, "systematics[0].size", "missing"),
    ("systematics__1__up_function", REMOVE, "systematics[1].up_function", "missing"),
    ("systematics__1__processes", [], "systematics[1].processes", "at least one entry"),
    ("statistics__poi", "m", "statistics.poi", "Did you mean 'mu'?"),
    ("statistics__norm_factors", [], "statistics.norm_factors", "at least one norm factor"),
    (
        "statistics__norm_factors__0__bounds",
        (5, 1),
        "statistics.norm_factors[0].bounds",
        "a lower and a higher bound",
    ),
    (
        "statistics__norm_factors__0__bounds",
        (0, math.inf),
        "statistics.norm_factors[0].bounds[1]",
        "a finite number",
    ),
    (
        "statistics__norm_factors__0__nominal",
        30.0,
        "statistics.norm_factors[0].nominal",
        "from 0.0 to 20.0 (its bounds), but got 30.0",
    ),
    (
        "statistics__norm_factors__0__processes",
        ["sgnal"],
        "statistics.norm_factors[0].processes[0]",
        "Did you mean 'signal'?",
    ),
    (
        "statistics__norm_factors__0__processes",
        ["data"],
        "statistics.norm_factors[0].processes[0]",
        "is collision data",
    ),
    ("plotting__process_colors", {"tbar": "red"}, "plotting.process_colors.tbar", "'ttbar'?"),
    ("plotting__formats", ["pfd"], "plotting.formats[0]", "Did you mean 'pdf'?"),
    ("plotting__dpi", 10, "plotting.dpi", "at least 50"),
    ("execution__workers", 0, "execution.workers", "above 0"),
    ("execution__backend", "dask", "execution.scheduler", "missing"),
]


@pytest.mark.parametrize(("where", "value", "path", "says"), WRONG_VALUES)
def test_a_wrong_value_is_reported_at_its_path(where, value, path, says):
    problems = problems_in(changed(**{where: value}))
    assert path in problems
    assert says in str(problems[path])


ONLY = [row for row in WRONG_VALUES if not row[0].endswith("__name")]


@pytest.mark.parametrize(("where", "value", "path", "says"), ONLY)
def test_one_mistake_makes_one_problem(where, value, path, says):
    assert list(problems_in(changed(**{where: value}))) == [path]


SECTION_SHAPES = [
    ("general", [1], "general", "expected a section (dict), but got [1]"),
    ("general", None, "general", "expected a section (dict), but got None"),
    ("channels", {"SR": 1}, "channels", "expected a list"),
    ("channels", [3], "channels[0]", "expected a section (dict), but got 3"),
    ("corrections", "pu.json", "corrections", "expected a list"),
    ("good_object_masks", [], "good_object_masks", "expected a section (dict)"),
]


@pytest.mark.parametrize(("where", "value", "path", "says"), SECTION_SHAPES)
def test_a_section_of_the_wrong_shape(where, value, path, says):
    problems = problems_in(changed(**{where: value}))
    assert says in problems[path].message


def test_a_configuration_that_is_no_mapping():
    with pytest.raises(ConfigurationError, match=r"configuration: expected a mapping \(dict\)"):
        Config.of([1, 2])


UNKNOWN = [
    ("genral", {}, "genral", "Did you mean 'general'?"),
    ("general__lumii", 1, "general.lumii", "Did you mean 'lumi'?"),
    ("channels__0__fit_obs", "pt", "channels[0].fit_obs", "Did you mean 'fit_observable'?"),
    (f"{OBSERVABLE}__binnning", 1, f"{AT_OBSERVABLE}.binnning", "Did you mean 'binning'?"),
    ("preprocess__skimming__zzz", 1, "preprocess.skimming.zzz", "selection_function"),
    ("corrections__0__traget", 1, "corrections[0].traget", "Did you mean 'target'?"),
]


@pytest.mark.parametrize(("where", "value", "path", "says"), UNKNOWN)
def test_an_unknown_key_names_the_nearest(where, value, path, says):
    problems = problems_in(changed(**{where: value}))
    assert list(problems) == [path]
    assert problems[path].message == "unknown key."
    assert says in problems[path].hint


def test_keys_that_are_no_text():
    config = valid()
    config["preprocess"]["branches"][5] = ["pt"]
    assert "expected a text, but got 5" in problems_in(config)["preprocess.branches.5"].message
    config = valid()
    config["general"][5] = 1
    assert "general.5" in problems_in(config)


def test_both_names_of_one_field():
    problems = problems_in(changed(preprocess__skimming__function=mask))
    assert list(problems) == ["preprocess.skimming.selection_function"]
    assert "given twice" in problems["preprocess.skimming.selection_function"].message
    problems = problems_in(
        changed(corrections__0__transform=number, corrections__0__transform_in=number)
    )
    assert "given twice" in problems["corrections[0].transform"].message


def test_everything_is_reported_at_once_types_and_meaning_together():
    config = changed(
        general__lumi=-1,
        general__lumii=3,
        datasets__datasets__0__cross_section="1 pb",
        datasets__datasets__2__name="signal",
        datasets__datasets__2__process="wjets",
        channels__0__fit_observable="mas",
        channels__0__observables__1__binning=[3, 2],
        channels__1__observables__0__use=["Jat"],
        corrections__1__target=REMOVE,
        systematics__1__name="lumi",
        statistics__norm_factors__1__processes=["tbar"],
        plotting__formats=["gif"],
    )
    assert list(problems_in(config)) == [
        "general.lumi",
        "general.lumii",
        "datasets.datasets[0].cross_section",
        "datasets.datasets[2].name",
        "channels[0].observables[1].binning",
        "channels[0].fit_observable",
        "channels[1].observables[0].use[0]",
        "corrections[1].target",
        "systematics[1].name",
        "statistics.norm_factors[1].processes[0]",
        "plotting.formats[0]",
    ]


def test_the_message_holds_every_problem():
    with pytest.raises(ConfigurationError) as caught:
        Config(**changed(general__lumi=-1, execution__workers=0))
    assert str(caught.value) == (
        "the configuration has 2 problems:\n"
        "  general.lumi: expected a number above 0, or a mapping (dict), but got -1.\n"
        "  execution.workers: expected a number above 0, but got 0."
    )


def test_the_member_of_a_union_that_was_meant_is_reported_alone():
    config = changed(general__lumi={"2018": -1})
    for entry in config["datasets"]["datasets"]:
        entry["year"] = 2018
    problems = problems_in(config)
    assert list(problems) == ["general.lumi.2018"]
    assert problems["general.lumi.2018"].message == "expected a number above 0, but got -1."


def test_numbers_and_arrays_of_numpy_are_taken():
    config = changed(
        general__lumi=np.float32(2.5),
        general__max_files=np.int64(3),
        channels__0__observables__0__binning=np.linspace(0, 1, 3),
        channels__0__observables__1__binning=[np.int64(0), np.float32(0.5)],
    )
    built = Config(**config)
    assert built.general.lumi == 2.5
    assert built.general.max_files == 3
    assert built.channels[0].observables[0].binning == [0.0, 0.5, 1.0]
    assert built.channels[0].observables[1].binning == [0.0, 0.5]


def test_a_long_value_is_shortened_and_a_function_is_named():
    long = problems_in(changed(channels__0__kind="x" * 500))["channels[0].kind"]
    assert len(str(long)) < 200
    function = problems_in(changed(general__max_files=mask))["general.max_files"]
    assert function.message == "expected a whole number, but got the function mask."
