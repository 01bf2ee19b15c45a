"""Checks of corrections and sources: complete, nothing in vain, one meaning for a name."""

from __future__ import annotations

import pytest

from tests.unit.schema.examples import REMOVE, changed, number, problems_in, valid

PILEUP, SCALE = "corrections__0", "corrections__1"
SOURCE = f"{SCALE}__uncertainty_sources__0"
AT_SOURCE = "corrections[1].uncertainty_sources[0]"
ARGS = [("event", "Pileup_nTrueInt"), "systematic", 1.0, "DeepJet"]
ONE_SIDE = {"name": "more", "up_and_down_idx": ["up_more", None]}
LINKED = {"name": "btag_jes", "up_and_down_idx": ["a", "b"], "varies_with": "jes_pu"}
FOUND = f"{PILEUP}__uncertainty_sources"
AT_FOUND = "corrections[0].uncertainty_sources"


def with_args(*arguments, **values):
    """Give the inputs of the first correction in the order of the file."""
    changes = {f"{PILEUP}__{name}": value for name, value in values.items()}
    config = changed(**{f"{PILEUP}__args": list(arguments), **changes})
    del config["corrections"][0]["use"]
    return config


RIGHT = [
    {FOUND: [ONE_SIDE]},
    {FOUND: [{**ONE_SIDE, "symmetrise": True}]},
    {FOUND: [{**ONE_SIDE, "is_delta": True}]},
    {FOUND: [LINKED]},
    {f"{PILEUP}__transform_out": number, f"{PILEUP}__reduce": "sum"},
    {f"{SOURCE}__down_function": REMOVE},
    {f"{SCALE}__propagate_to_met": "Muon", f"{SCALE}__op": "subtract"},
    {"systematics__1__down_function": REMOVE, "systematics__1__symmetrise": True},
    {"systematics__1__transform": number, "systematics__1__channels": ["SR"]},
]


@pytest.mark.parametrize("values", RIGHT)
def test_sources_of_all_kinds(values):
    assert problems_in(changed(**values)) == {}


def test_inputs_in_the_order_of_the_file():
    assert problems_in(with_args(*ARGS)) == {}
    plain = with_args(ARGS[0], nominal_idx=None, up_and_down_idx=None)
    assert problems_in(plain) == {}


WRONG_ARGS = [
    (with_args(ARGS[0]), "corrections[0].args", "'systematic' once, where nominal_idx goes"),
    (with_args("systematic", *ARGS), "corrections[0].args", "but got it 2 times"),
    (with_args(*ARGS, nominal_idx=None), "corrections[0].nominal_idx", "`args` has a place for it"),
    (
        with_args(ARGS[0], nominal_idx=None),
        "corrections[0].nominal_idx",
        "missing. It is needed beside the names of up and down",
    ),
    (with_args(*ARGS, "Jet.pt"), "corrections[0].args[4]", "'Jet.pt' is a text, not a column"),
    (with_args(*ARGS, ("Jat", "pt")), "corrections[0].args[4]", "Did you mean 'Jet'?"),
    (changed(corrections__0__args=ARGS), "corrections[0].use", "no effect beside `args`"),
    (
        changed(corrections__1__args=["systematic"], corrections__1__use=REMOVE),
        "corrections[1].args[0]",
        "'systematic' has no effect without use_correctionlib",
    ),
    (changed(corrections__0__nominal_idx=None), "corrections[0].nominal_idx", "missing"),
]


@pytest.mark.parametrize(("config", "path", "says"), WRONG_ARGS)
def test_wrong_inputs_are_reported_at_their_path(config, path, says):
    problems = problems_in(config)
    assert list(problems) == [path]
    assert says in str(problems[path])


NO_EFFECT = [
    ({FOUND: [{**ONE_SIDE, "up_function": number}]}, f"{AT_FOUND}[0].up_function"),
    ({f"{SOURCE}__symmetrise": True}, f"{AT_SOURCE}.symmetrise"),
    (
        {FOUND: [{**ONE_SIDE, "is_delta": True, "symmetrise": True}]},
        f"{AT_FOUND}[0].symmetrise",
    ),
    ({FOUND: [{**LINKED, "correlation": "uncorrelated"}]}, f"{AT_FOUND}[0].correlation"),
    (
        {f"{PILEUP}__up_and_down_idx": REMOVE, f"{PILEUP}__correlation": "uncorrelated"},
        "corrections[0].correlation",
    ),
    ({f"{SCALE}__target": ("Jet", "mass"), f"{SCALE}__scale_mass": False},
     "corrections[1].scale_mass"),
    ({f"{SCALE}__target": "Jet.mass", f"{SCALE}__propagate_to_met": "MET"},
     "corrections[1].propagate_to_met"),
    ({"systematics__0__symmetrise": True}, "systematics[0].symmetrise"),
    ({"systematics__0__transform": number}, "systematics[0].transform"),
    ({"systematics__1__symmetrise": True}, "systematics[1].symmetrise"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "path"), NO_EFFECT)
def test_nothing_is_accepted_that_would_have_no_effect(values, path):
    problems = problems_in(changed(**values))
    assert list(problems) == [path]
    assert "has no effect" in problems[path].message


@pytest.mark.parametrize("field", ["up_function", "use", "transform", "processes", "target"])
def test_a_source_of_samples_takes_all_from_them(field):
    values = {"processes": ["ttbar"], "use": ["Jet.pt"], "target": "Jet.pt"}
    config = changed(systematics=[{"name": "ps", "type": "sample",
                                   field: values.get(field, number)}])  # fmt: skip
    path = f"systematics[0].{field}"
    assert "has no effect for type 'sample'" in problems_in(config)[path].message


LINKS = [
    ({FOUND: [{**LINKED, "varies_with": "jes"}]}, f"{AT_FOUND}[0]", "no object source 'jes'"),
    ({FOUND: [{**LINKED, "varies_with": "top_pt"}]}, f"{AT_FOUND}[0]", "no object source"),
    ({f"{SOURCE}__varies_with": "jes_pu"}, AT_SOURCE, "only a source of an event correction"),
    (
        {FOUND: [LINKED, {**LINKED, "name": "other"}]},
        f"{AT_FOUND}[1]",
        "uncertainty_sources[0] moves with 'jes_pu' already",
    ),
]


@pytest.mark.parametrize(("values", "where", "says"), LINKS)
def test_a_link_leads_to_an_object_source(values, where, says):
    problems = problems_in(changed(**values))
    assert list(problems) == [f"{where}.varies_with"]
    assert says in str(problems[f"{where}.varies_with"])


def test_a_channel_that_a_source_acts_in_exists():
    problems = problems_in(changed(systematics__1__channels=["CR", "SRR"]))
    assert list(problems) == ["systematics[1].channels[1]"]
    assert "Did you mean 'SR'?" in problems["systematics[1].channels[1]"].hint


# -- years -------------------------------------------------------------------------------


def two_years(first, second, section="systematics", **more):
    """One entry each year; datasets of both."""
    config = changed(general__lumi={2017: 1.0, 2018: 2.0}, **more)
    for entry, year in zip(config["datasets"]["datasets"], (2017, 2017, 2018, 2018), strict=True):
        entry["year"] = year
    config[section] = {"2017": [first], "2018": [second]}
    return config


def test_one_name_in_two_years_is_one_source():
    lumi = valid()["systematics"][0]
    assert problems_in(two_years(lumi, {**lumi, "size": 0.01})) == {}


@pytest.mark.parametrize(
    ("field", "value"), [("correlation", "uncorrelated"), ("channels", ["SR"]), ("type", "event")]
)
def test_one_source_says_the_same_in_all_years(field, value):
    lumi = valid()["systematics"][0]
    problems = problems_in(two_years(lumi, {**lumi, field: value}))
    path = f"systematics.2018[0].{field}"
    assert f"differs from systematics.2017[0].{field}" in problems[path].message


def test_sources_of_corrections_say_the_same_in_all_years():
    first, second = valid()["corrections"][1], valid()["corrections"][1]
    del second["uncertainty_sources"][0]["down_function"]
    assert problems_in(two_years(first, second, "corrections")) == {}
    second["uncertainty_sources"][0]["symmetrise"] = True
    path = "corrections.2018[0].uncertainty_sources[0].symmetrise"
    assert list(problems_in(two_years(first, second, "corrections"))) == [path]


def in_both_sections(**fields):
    """Take the correction of one year and a source of another, under one name."""
    config = two_years(valid()["corrections"][0], valid()["corrections"][0], "corrections")
    config["corrections"]["2018"] = []
    own = {**valid()["systematics"][1], "name": "pileup", **fields}
    config["systematics"] = {"2017": [], "2018": [own]}
    return problems_in(config)


def test_a_correction_and_a_source_of_two_years_can_be_one_nuisance():
    assert in_both_sections() == {}


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("channels", {"channels": ["SR"]}),
        ("symmetrise", {"symmetrise": True, "down_function": None}),
        ("correlation", {"correlation": "uncorrelated"}),
        ("smooth", {"smooth": True}),
        ("group", {"group": "weights"}),
        ("type", {"type": "object", "target": ("Jet", "pt")}),
    ],
)
def test_a_correction_and_a_source_of_one_name_say_the_same(field, values):
    problems = in_both_sections(**values)
    path = f"systematics.2018[0].{field}"
    assert list(problems) == [path]
    message = f"corrections.2017[0], a source of the same name, has another `{field}`."
    assert message in str(problems[path])


def test_a_linked_source_of_a_correction_is_no_source_of_another_year():
    config = two_years(valid()["corrections"][0], valid()["corrections"][0], "corrections")
    linked = {"name": "moved", "up_and_down_idx": ["a", "b"], "varies_with": "jes_pu"}
    config["corrections"]["2017"][0]["uncertainty_sources"] = [linked]
    config["corrections"]["2017"].append(valid()["corrections"][1])
    config["systematics"] = {"2017": [], "2018": [{**valid()["systematics"][1], "name": "moved"}]}
    assert list(problems_in(config)) == ["systematics.2018[0].name"]


def test_a_name_is_taken_in_one_year_or_in_all():
    lumi = {"name": "jes_pu", "type": "normalisation", "size": 0.025}
    problems = problems_in(two_years(lumi, {**lumi, "name": "lumi"}))
    assert list(problems) == ["systematics.2017[0].name"]
    scale = {**valid()["corrections"][1], "uncertainty_sources": []}
    config = two_years(valid()["corrections"][1], scale, "corrections", systematics=[lumi])
    assert list(problems_in(config)) == ["systematics[0].name"]


def test_the_name_with_the_year_belongs_to_the_source_that_makes_it():
    lumi = {**valid()["systematics"][0], "correlation": "uncorrelated"}
    other = {**valid()["systematics"][0], "name": "lumi_2017"}
    assert problems_in(two_years(lumi, lumi)) == {}
    problems = problems_in(two_years(lumi, other))
    assert list(problems) == ["systematics.2017[0].name"]
    assert "'lumi_2017' is declared already at systematics.2018[0]" in str(
        problems["systematics.2017[0].name"]
    )
