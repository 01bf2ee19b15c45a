"""Checks that need more than one field."""

from __future__ import annotations

import pytest

from hepflow.schema import Config
from tests.unit.schema.examples import REMOVE, changed, mask, number, problems_in, valid

REPEATED = [
    ("datasets__datasets__1__name", "signal", "datasets.datasets[1].name"),
    ("channels__1__name", "SR", "channels[1].name"),
    ("channels__0__observables__1__name", "mass", "channels[0].observables[1].name"),
    ("corrections__1__name", "pileup", "corrections[1].name"),
    ("systematics__0__name", "jes_pu", "systematics[0].name"),
    ("systematics__1__name", "lumi", "systematics[1].name"),
    ("systematics__0__name", "pileup", "systematics[0].name"),
    ("statistics__norm_factors__1__name", "mu", "statistics.norm_factors[1].name"),
    ("statistics__norm_factors__1__name", "lumi", "statistics.norm_factors[1].name"),
]


@pytest.mark.parametrize(("where", "value", "path"), REPEATED)
def test_a_repeated_name(where, value, path):
    problems = problems_in(changed(**{where: value}))
    assert list(problems) == [path]
    assert f"{value!r}" in problems[path].message
    assert "already" in problems[path].message


def test_the_same_observable_in_two_channels_is_no_repetition():
    names = [channel["observables"][0]["name"] for channel in valid()["channels"]]
    assert names == ["mass", "mass"]
    assert problems_in(valid()) == {}


def test_repeated_cuts():
    cut = {"name": "jets", "function": mask, "use": ["Jet"]}
    problems = problems_in(changed(baseline_selection={"cuts": [cut, cut]}))
    assert list(problems) == ["baseline_selection.cuts[1].name"]


NO_EFFECT = [
    ("corrections__0__target", ("Jet", "pt"), "corrections[0].target"),
    ("corrections__0__op", "add", "corrections[0].op"),
    ("corrections__0__propagate_to_met", "PuppiMET", "corrections[0].propagate_to_met"),
    ("corrections__0__scale_mass", False, "corrections[0].scale_mass"),
    ("corrections__0__nominal_function", number, "corrections[0].nominal_function"),
    ("corrections__1__reduce", "sum", "corrections[1].reduce"),
    ("corrections__1__file", "jes.json", "corrections[1].file"),
    ("corrections__1__out_of_range", "clamp", "corrections[1].out_of_range"),
    ("corrections__1__up_and_down_idx", ["u", "d"], "corrections[1].up_and_down_idx"),
    (
        "corrections__1__uncertainty_sources__0__up_and_down_idx",
        ["u", "d"],
        "corrections[1].uncertainty_sources[0].up_and_down_idx",
    ),
    ("systematics__0__up_function", number, "systematics[0].up_function"),
    ("systematics__0__use", [("Muon", "pt")], "systematics[0].use"),
    ("systematics__1__size", 0.5, "systematics[1].size"),
    ("systematics__1__target", ("Jet", "pt"), "systematics[1].target"),
    ("datasets__datasets__0__lumi_mask", "certified.json", "datasets.datasets[0].lumi_mask"),
    ("datasets__datasets__3__k_factor", 2.0, "datasets.datasets[3].k_factor"),
    ("datasets__datasets__3__weight_branch", "w", "datasets.datasets[3].weight_branch"),
    ("datasets__datasets__1__file_pattern", "*.txt", "datasets.datasets[1].file_pattern"),
    ("channels__1__selection__use", ["Jet"], "channels[1].selection.use"),
    ("execution__scheduler", "tcp://x:1", "execution.scheduler"),
]


@pytest.mark.parametrize(("where", "value", "path"), NO_EFFECT)
def test_nothing_is_accepted_that_would_have_no_effect(where, value, path):
    problems = problems_in(changed(**{where: value}))
    assert list(problems) == [path]
    assert "has no effect" in problems[path].message


def test_defaults_that_are_written_out_are_no_mistake():
    config = Config(**valid())
    assert problems_in(config.to_dict()) == {}
    config = changed(
        corrections__0__op="mult",
        corrections__0__scale_mass=True,
        datasets__datasets__3__k_factor=1,
        systematics__1__size=None,
    )
    assert problems_in(config) == {}


def test_a_selection_is_a_function_or_cuts():
    both = {"function": mask, "use": ["Jet"], "cuts": valid()["channels"][1]["selection"]["cuts"]}
    assert "got both" in problems_in(changed(baseline_selection=both))["baseline_selection"].message
    neither = problems_in(changed(channels__0__selection={}))
    assert "got neither" in neither["channels[0].selection"].message
    columns = problems_in(changed(channels__0__selection__use=REMOVE))
    assert list(columns) == ["channels[0].selection.use"]


def test_a_skim_without_a_function_has_no_arguments():
    config = valid()
    del config["preprocess"]["skimming"]["selection_function"]
    assert list(problems_in(config)) == [
        "preprocess.skimming.use",
        "preprocess.skimming.static_kwargs",
    ]
    config = changed(preprocess__skimming__selection_use=REMOVE)
    assert list(problems_in(config)) == ["preprocess.skimming.use"]


def test_files_of_a_dataset():
    both = problems_in(changed(datasets__datasets__0__files=["a.root"]))
    assert "got both" in both["datasets.datasets[0]"].message
    neither = problems_in(changed(datasets__datasets__0__directory=REMOVE))
    assert "got neither" in neither["datasets.datasets[0]"].message


def test_simulation_needs_a_cross_section():
    problems = problems_in(changed(datasets__datasets__0__cross_section=REMOVE))
    assert list(problems) == ["datasets.datasets[0].cross_section"]
    assert "[pb]" in str(problems["datasets.datasets[0].cross_section"])


def test_a_process_is_data_or_simulation():
    config = changed(datasets__datasets__3__process="wjets")
    problems = problems_in(config)
    assert "is simulation at datasets.datasets[2] and data here" in str(
        problems["datasets.datasets[3].process"]
    )


def test_several_years_need_several_luminosities():
    years = {"datasets__datasets__0__year": 2017, "datasets__datasets__1__year": "2018"}
    problems = problems_in(changed(**years))
    assert list(problems) == ["general.lumi"]
    assert "2017, 2018" in problems["general.lumi"].message


def test_one_year_needs_one_luminosity():
    config = changed(datasets__datasets__0__year=2018, datasets__datasets__1__year="2018")
    assert problems_in(config) == {}


def test_luminosity_by_year():
    config = changed(general__lumi={2017: 1.0, "2018": 2.0})
    for entry, year in zip(config["datasets"]["datasets"], (2017, "2018", 2018, 2017), strict=True):
        entry["year"] = year
    assert Config(**config).general.lumi == {"2017": 1.0, "2018": 2.0}
    config["datasets"]["datasets"][1]["year"] = 2081
    config["datasets"]["datasets"][3]["year"] = 2018
    del config["datasets"]["datasets"][2]["year"]
    problems = problems_in(config)
    assert list(problems) == ["datasets.datasets[1].year", "datasets.datasets[2].year"]
    assert "no year '2081'" in problems["datasets.datasets[1].year"].message
    config["datasets"]["datasets"][1]["year"] = config["datasets"]["datasets"][2]["year"] = 2017
    config["datasets"]["datasets"][0]["year"] = config["datasets"]["datasets"][3]["year"] = 2017
    assert "no dataset has the year" in problems_in(config)["general.lumi.2018"].message


def test_computed_columns():
    ghost = valid()["ghost_observables"][0]
    config = changed(ghost_observables=[{**ghost, "collections": ["A", "B", "C"]}])
    assert "3 collections for 2 names" in str(
        problems_in(config)["ghost_observables[0].collections"]
    )
    config = changed(ghost_observables=[ghost, {**ghost, "names": "n"}])
    problems = problems_in(config)
    assert list(problems) == ["ghost_observables[1].names[0]"]
    config = changed(ghost_observables=[ghost, {**ghost, "names": "n", "collections": "Other"}])
    assert problems_in(config) == {}


def test_the_generator_weight_is_not_computed():
    ghost = {**valid()["ghost_observables"][0], "names": "genWeight", "collections": "event"}
    told = problems_in(changed(ghost_observables=[ghost]))["ghost_observables[0].names[0]"]
    assert "is the generator weight" in told.message
    config = changed(ghost_observables=[ghost], general__weight_branch="w")
    assert problems_in(config) == {}


@pytest.mark.parametrize("target", [("event", "rho"), "event.rho"])
def test_a_branch_without_an_object_is_no_target(target):
    source = {
        "name": "rho", "type": "object", "use": ["Jet.pt"], "up_function": abs,
        "down_function": abs, "target": target,
    }  # fmt: skip
    told = problems_in(changed(systematics=[source]))
    assert "without an object cannot be changed" in told["systematics[0].target"].message


def test_computed_columns_can_be_read():
    config = changed(channels__0__observables__0__use=[("Ghost", "ht")])
    assert problems_in(config) == {}


def test_a_run_that_ends_after_the_skim_needs_no_channels():
    config = {name: valid()[name] for name in ("general", "datasets", "preprocess")}
    assert set(problems_in(config)) == {"channels", "statistics.norm_factors"}
    config["general"]["analysis"] = "skip"
    assert problems_in(config) == {}


def test_a_model_of_the_users_own_needs_no_norm_factors():
    statistics = {"cabinetry_config": "own.yaml", "poi": "strength"}
    assert problems_in(changed(statistics=statistics)) == {}
    assert "statistics.norm_factors" in problems_in(changed(statistics={}))
    assert problems_in(changed(statistics={}, general__run_statistics=False)) == {}


def test_sources_need_what_their_correction_reads_them_from():
    source = {"name": "pileup_model", "up_function": number}
    problems = problems_in(changed(corrections__0__uncertainty_sources=[source]))
    where = "corrections[0].uncertainty_sources[0]"
    assert list(problems) == [f"{where}.up_and_down_idx", f"{where}.up_function"]
    problems = problems_in(changed(corrections__1__uncertainty_sources__0__up_function=REMOVE))
    assert list(problems) == ["corrections[1].uncertainty_sources[0].up_function"]
