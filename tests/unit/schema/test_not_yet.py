"""What does not exist yet is refused with that explanation, never accepted and ignored."""

from __future__ import annotations

import pytest

from hepflow.schema import Config
from hepflow.schema.base import Section
from hepflow.schema.shapes import field_named, is_model
from tests.unit.schema.examples import changed, problems_in, valid

FIELDS = [
    ("general__lumi_table", "general.lumi_table"),
    ("general__run_mva_training", "general.run_mva_training"),
    ("general__run_plots_only", "general.run_plots_only"),
    ("general__blind", "general.blind"),
    ("datasets__datasets__0__directories", "datasets.datasets[0].directories"),
    ("datasets__datasets__0__cross_sections", "datasets.datasets[0].cross_sections"),
    ("datasets__datasets__0__years", "datasets.datasets[0].years"),
    ("datasets__datasets__0__slices", "datasets.datasets[0].slices"),
    ("datasets__datasets__0__redirector", "datasets.datasets[0].redirector"),
    ("datasets__datasets__0__redirectors", "datasets.datasets[0].redirectors"),
    ("datasets__datasets__0__duplicates", "datasets.datasets[0].duplicates"),
    ("datasets__datasets__0__branch_map", "datasets.datasets[0].branch_map"),
    ("preprocess__ignore_missing", "preprocess.ignore_missing"),
    ("good_object_masks__mva", "good_object_masks.mva"),
    ("channels__0__use_in_diff", "channels[0].use_in_diff"),
    ("corrections__0__args", "corrections[0].args"),
    ("corrections__0__transform_out", "corrections[0].transform_out"),
    (
        "corrections__1__uncertainty_sources__0__is_delta",
        "corrections[1].uncertainty_sources[0].is_delta",
    ),
    (
        "corrections__1__uncertainty_sources__0__varies_with",
        "corrections[1].uncertainty_sources[0].varies_with",
    ),
    ("systematics__0__transform", "systematics[0].transform"),
    ("systematics__0__symmetrise", "systematics[0].symmetrise"),
    ("systematics__0__channels", "systematics[0].channels"),
    ("systematics__0__correlation", "systematics[0].correlation"),
    ("mva", "mva"),
    ("inference", "inference"),
    ("execution__memory_limit", "execution.memory_limit"),
    ("execution__on_missing", "execution.on_missing"),
    ("execution__one_pass", "execution.one_pass"),
]

VALUES = [
    ("general__analysis", "diff", "general.analysis"),
    ("general__analysis", "both", "general.analysis"),
    ("datasets__datasets__0__variation", "ps_up", "datasets.datasets[0].variation"),
    ("preprocess__skimming__output", {"format": "root"}, "preprocess.skimming.output.format"),
    ("preprocess__skimming__output", {"format": "parquet"}, "preprocess.skimming.output.format"),
    ("channels__0__kind", "validation", "channels[0].kind"),
    ("systematics__0__type", "sample", "systematics[0].type"),
    ("corrections", {"2018": []}, "corrections"),
    ("systematics", {"2018": []}, "systematics"),
]


@pytest.mark.parametrize(("where", "path"), FIELDS)
@pytest.mark.parametrize("value", [None, True, ["x"]])
def test_a_field_is_refused_whatever_its_value(where, path, value):
    problems = problems_in(changed(**{where: value}))
    assert list(problems) == [path]
    assert problems[path].message.startswith("refused: ")
    assert "yet" in problems[path].message


@pytest.mark.parametrize(("where", "value", "path"), VALUES)
def test_a_value_is_refused(where, value, path):
    problems = problems_in(changed(**{where: value}))
    assert "is refused: " in problems[path].message
    assert "yet" in problems[path].message


def models(kind: type[Section] = Config) -> set[type[Section]]:
    """All sections that a configuration may hold."""
    found = {kind}
    for one in Section.__subclasses__():
        found |= {one, *one.__subclasses__()}
    return {one for one in found if is_model(one)}


def test_no_field_both_exists_and_is_refused():
    for model in models():
        for name in model.not_yet:
            assert field_named(model, name) is None, f"{model.__name__}.{name}"


def test_every_reason_is_tried_here():
    tried = {path.rpartition(".")[2] for _, path in FIELDS}
    assert {name for model in models() for name in model.not_yet} == tried


def test_every_field_is_described():
    for model in models():
        for name, info in model.model_fields.items():
            assert info.description, f"{model.__name__}.{name} has no description"


def test_by_year_says_what_to_write():
    problems = problems_in(changed(corrections={"2018": valid()["corrections"]}))
    assert "give one list that holds for all years" in problems["corrections"].message
