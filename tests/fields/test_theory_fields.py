"""Fields of sources of theory weights, and of corrections that keep the yield."""

from __future__ import annotations

import numpy as np
import pytest

from hepflow.errors import ConfigurationError
from hepflow.schema import Config
from tests.fields.corrections import by_function
from tests.fields.project import MC, fill, make_config, times, two_years, values
from tests.unit.theory.weighted import X, entry, in_bins, lists, project, tilted, xsec

PAIR = tilted([0.25, -0.125])
close = pytest.approx


@pytest.fixture
def run(tmp_path):
    """Histograms with these sources and branches."""

    def filled(*systematics, **branches):
        return fill(project(tmp_path, {"Some": lists(PAIR), **branches}, *systematics))

    return filled


@pytest.mark.field("systematics[].type", "systematics[].weights")
def test_the_weights_are_those_of_the_branch(run):
    assert values(run(entry()), "t_up") == in_bins(PAIR[:, 0])
    other = {"Other": lists(PAIR * 2)}
    assert values(run(entry(weights="Other"), **other), "t_up") == in_bins(2 * PAIR[:, 0])


@pytest.mark.field("systematics[].members", "systematics[].members[]")
def test_members_are_chosen_by_what_they_are_or_by_position(run):
    assert values(run(entry(members=[1, 0])), "t_up") == in_bins(PAIR[:, 1])
    weights = {"Some": lists(tilted([0.5, 0.25, -0.5, -0.25]))}
    for members, slope in (("isr", 0.5), ("fsr", 0.25)):
        found = run(entry(members=members, combine=None), **weights)
        assert values(found, "t_up") == in_bins(1 + slope * X)


@pytest.mark.field("systematics[].combine")
def test_members_are_combined_as_it_says(run):
    assert values(run(entry(combine="envelope", members=[1])), "t_up") == MC
    found = run(entry(combine="hessian", members=[1]))
    assert values(found, "t_up") == in_bins(1 + 0.125 * X)
    found = run(entry(combine="replicas"))
    assert values(found, "t_up") == close(in_bins(1 + 0.1875 * np.sqrt(2) * X))


@pytest.mark.field("systematics[].lhapdf_id")
def test_the_id_tells_the_formula(run):
    slopes = np.zeros(100)
    slopes[:2] = [0.375, 0.5]
    weights = {"Some": lists(tilted(slopes))}
    source = entry(members="pdf", combine=None)
    found = run({**source, "lhapdf_id": 306001}, **weights)  # Hessian
    assert values(found, "t_up") == close(in_bins(1 + 0.625 * X))
    found = run({**source, "lhapdf_id": 260001}, **weights)  # replicas
    assert values(found, "t_up") == close(in_bins(1 + slopes.std(ddof=1) * X))


@pytest.mark.field("systematics[].relative_to")
def test_the_weights_are_divided_by_a_branch(run):
    nominal = np.full(8, 4.0, np.float32)
    found = run(entry(relative_to="original"), original=nominal)
    assert values(found, "t_up") == in_bins(PAIR[:, 0] / 4)


@pytest.mark.field("systematics[].normalisation_only")
def test_only_the_yield_moves(run):
    found = run(entry(normalisation_only=True))
    assert values(found, "t_up") == close(times(PAIR[:, 0].sum() / 8))


@pytest.mark.field("systematics[].keep_yield")
def test_the_yield_of_nominal_is_kept(run):
    assert sum(values(run(entry(keep_yield=True)), "t_up")) == close(8.0)
    assert sum(values(run(entry(keep_yield=False), xsec()), "t_up")) == PAIR[:, 0].sum()


@pytest.mark.field("corrections[].keep_yield")
def test_a_correction_can_keep_the_yield(tmp_path):
    config = make_config(tmp_path)
    weights = 1 + 0.5 * X
    for keep, factor in ((False, 1.0), (True, 8 / weights.sum())):
        correction = by_function(lambda x: 1 + 0.5 * x, keep_yield=keep)
        found = fill({**config, "corrections": [correction]})
        assert values(found) == close(times(factor, in_bins(weights)))


@pytest.mark.parametrize(
    ("fields", "where", "message"),
    [
        ({"weights": None}, "weights", "missing. It is needed for type 'theory'"),
        ({"members": None}, "members", "missing. It is needed for type 'theory'"),
        ({"combine": None}, "combine", "missing. It is needed for members by position"),
        ({"members": [0]}, "members", "expected two positions for a pair, up and down, but got 1"),
        ({"members": "scale"}, "combine", "has no effect for members 'scale', of which it is"),
        ({"members": "pdf"}, "combine", "'pair' is not how the members of a PDF set are"),
        ({"lhapdf_id": 306000}, "lhapdf_id", "has no effect for members without PDFs"),
        ({"size": 0.1}, "size", "has no effect for type 'theory'"),
        ({"use": [("event", "x")]}, "use", "has no effect for type 'theory'"),
        ({"symmetrise": True}, "symmetrise", "has no effect for type 'theory'"),
        ({"normalisation_only": True, "keep_yield": True}, "keep_yield", "nothing would be left"),
        ({"type": "sample"}, "weights", "has no effect for type 'sample'"),
    ],
)
def test_what_contradicts_itself_is_refused(tmp_path, fields, where, message):
    config = {**make_config(tmp_path), "systematics": [entry(**fields)]}
    with pytest.raises(ConfigurationError) as caught:
        Config.of(config)
    problems = {one.path: one.message for one in caught.value.problems}
    assert message in problems[f"systematics[0].{where}"]


def test_a_source_is_the_same_in_all_years(tmp_path):
    datasets, general = two_years(tmp_path)
    years = {"2016": [entry()], "2017": [entry(combine="envelope")]}
    config = make_config(tmp_path, datasets["datasets"], general=general, systematics=years)
    with pytest.raises(ConfigurationError, match=r"combine: differs from systematics.2016\[0\]"):
        Config.of(config)


def test_only_event_corrections_keep_the_yield(tmp_path):
    jets = {"name": "j", "type": "object", "use_correctionlib": False, "use": [("Jet", "pt")],
            "target": ("Jet", "pt"), "nominal_function": abs, "keep_yield": True}  # fmt: skip
    with pytest.raises(ConfigurationError, match="keep_yield"):
        Config.of({**make_config(tmp_path), "corrections": [jets]})
