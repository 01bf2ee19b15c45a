"""Each field of the configuration has a test that changes it and sees what it does."""

from __future__ import annotations

import textwrap

from tests.fields.registry import all_fields, marked_fields


def test_every_field_has_a_test_of_its_effect():
    marked = marked_fields()
    assert [path for path in all_fields() if path not in marked] == []


def test_every_mark_names_a_field():
    known = set(all_fields())
    unknown = {path: where for path, where in marked_fields().items() if path not in known}
    assert unknown == {}


def test_the_fields_are_those_of_all_sections():
    found = all_fields()
    assert {
        "general.lumi", "general.lumi{}", "general.blind", "general.blind[].range",
        "datasets.datasets[].slices[].k_factor", "datasets.datasets[].cross_section[]",
        "channels[].observables[].binning", "channels[].selection.cuts[].name",
        "corrections{}", "corrections[].uncertainty_sources[].is_delta",
        "preprocess.skimming.output.format", "statistics.norm_factors[].bounds",
    } <= set(found)  # fmt: skip
    assert not {"channels", "corrections", "preprocess.skimming"} & set(found)


def test_marks_are_found_in_the_source(tmp_path):
    text = """
        import pytest

        @pytest.mark.field("general.lumi", "general.blind")
        @pytest.mark.parametrize("x", [1])
        def test_one(x):
            pass

        class TestMany:
            @pytest.mark.field("general.lumi")
            def test_two(self):
                pass
    """
    (tmp_path / "test_x.py").write_text(textwrap.dedent(text))
    assert marked_fields(tmp_path) == {
        "general.lumi": ["test_x.py::test_one", "test_x.py::test_two"],
        "general.blind": ["test_x.py::test_one"],
    }
