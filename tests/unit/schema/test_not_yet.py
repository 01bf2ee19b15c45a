"""What does not exist yet is refused with that explanation, never accepted and ignored."""

from __future__ import annotations

import pytest

from hepflow.schema import Config
from hepflow.schema.base import Section
from hepflow.schema.shapes import field_named, is_model
from tests.unit.schema.examples import changed, problems_in

FIELDS = [
    ("general__run_mva_training", "general.run_mva_training"),
    ("good_object_masks__mva", "good_object_masks.mva"),
    ("channels__0__use_in_diff", "channels[0].use_in_diff"),
    ("mva", "mva"),
]

VALUES = [
    ("general__analysis", "diff", "general.analysis"),
    ("general__analysis", "both", "general.analysis"),
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
