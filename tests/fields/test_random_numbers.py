"""Random numbers of a correction belong to the object, in whatever company it is seen."""

from __future__ import annotations

import numpy as np
import pytest

from hepflow.analysis import AnalysisSpec
from hepflow.corrections.random import normal_numbers, seeds_of
from hepflow.errors import MissingBranch
from hepflow.records import NOMINAL, Variation
from hepflow.variations import correct_objects
from tests.builders import make_skims, observable
from tests.fields.project import fill, itself, make_config

COLUMNS = [("Jet", "pt"), ("Jet", "random_normal")]


def smear(pt, normal):
    """Resolution of 10 %."""
    return 1.0 + 0.1 * normal


def smear_more(pt, normal):
    """Resolution of 20 %."""
    return 1.0 + 0.2 * normal


def smear_less(pt, normal):
    """Resolution of 5 %."""
    return 1.0 + 0.05 * normal


def turned(pt):
    """The softest jet becomes the hardest."""
    return 200.0 - 2.0 * pt


def jets(name, function, use=COLUMNS, **fields):
    """Correction of the jets' pt; the mass stays and tells a jet from the others."""
    return {"name": name, "type": "object", "use_correctionlib": False, "use": use,
            "target": ("Jet", "pt"), "nominal_function": function, "scale_mass": False,
            **fields}  # fmt: skip


SOURCE = {"name": "jer_size", "up_function": smear_more, "down_function": smear_less}
SMEARED = jets("jer", smear, uncertainty_sources=[SOURCE])


@pytest.fixture(scope="module")
def events(tmp_path_factory):
    """Events of the project."""
    return make_skims(make_config(tmp_path_factory.mktemp("random")))["mc__nominal"][0][0]


def factors(tmp_path, events, *corrections, variation=NOMINAL):
    """Change in pt of each jet, by the event and the jet's mass."""
    spec = AnalysisSpec.from_config(make_config(tmp_path, corrections=list(corrections)))
    (dataset,) = spec.datasets.values()
    found = correct_objects(
        events, spec.corrections_of(dataset), (), variation, dataset, spec.digests
    )
    before = {
        (event, mass): pt
        for event, jets in zip(events.event, events.Jet, strict=True)
        for mass, pt in zip(jets.mass, jets.pt, strict=True)
    }
    return {
        (event, mass): pt / before[event, mass]
        for event, jets in zip(found.event, found.Jet, strict=True)
        for mass, pt in zip(jets.mass, jets.pt, strict=True)
    }


def test_a_jet_keeps_its_number_in_other_chunks_and_orders_of_events(tmp_path, events):
    whole = factors(tmp_path, events, SMEARED)
    assert len(set(whole.values())) == len(whole) == 10
    first, second = (factors(tmp_path, part, SMEARED) for part in (events[:3], events[3:]))
    assert {**first, **second} == whole
    assert factors(tmp_path, events[::-1], SMEARED) == whole


def test_a_jet_keeps_its_number_where_another_correction_sorts_anew(tmp_path, events):
    plain = factors(tmp_path, events, SMEARED)
    turning = jets("turn", lambda pt: turned(pt) / pt, [("Jet", "pt")])
    both = factors(tmp_path, events, turning, SMEARED)
    alone = factors(tmp_path, events, turning)
    for jet, factor in plain.items():
        assert both[jet] == pytest.approx(alone[jet] * factor, rel=1e-6)


def test_nominal_up_and_down_share_the_number(tmp_path, events):
    nominal = factors(tmp_path, events, SMEARED)
    for direction, scale in (("up", 2.0), ("down", 0.5)):
        variation = Variation("jer_size", direction, "object")
        moved = factors(tmp_path, events, SMEARED, variation=variation)
        for jet, factor in nominal.items():
            assert moved[jet] - 1.0 == pytest.approx(scale * (factor - 1.0), abs=1e-6)


def test_another_correction_has_other_numbers(tmp_path, events):
    nominal = factors(tmp_path, events, SMEARED)
    other = factors(tmp_path, events, {**SMEARED, "name": "other"})
    assert not set(nominal.values()) & set(other.values())


def test_the_numbers_are_normal_and_independent():
    n = 200_000
    runs, blocks, events = np.ones(n, np.uint32), np.arange(n) // 100, np.arange(n)
    seeds = seeds_of(runs, blocks, events, "jer")
    first, second = (normal_numbers(seeds, np.full(n, i, np.uint64)) for i in range(2))
    other = normal_numbers(seeds_of(runs, blocks, events, "jes"), np.zeros(n, np.uint64))
    spread = 5.0 / np.sqrt(n)
    for numbers in (first, second, other):
        assert abs(numbers.mean()) < spread
        assert abs(numbers.var() - 1.0) < np.sqrt(2) * spread
        assert abs((numbers < -1.0).mean() - 0.158655) < spread
        assert abs((np.abs(numbers) > 3.0).mean() - 0.0027) < spread * 0.06
        assert abs(np.corrcoef(numbers[1:], numbers[:-1])[0, 1]) < spread
    for one, two in ((first, second), (first, other)):
        assert abs(np.corrcoef(one, two)[0, 1]) < spread
    assert len(np.unique(first)) == n


def test_one_number_an_event(tmp_path, events):
    one = {"name": "met", "type": "object", "use_correctionlib": False, "target": ("MET", "pt"),
           "use": [("event", "random_normal")],
           "nominal_function": lambda normal: 1.0 + 0.1 * normal}  # fmt: skip
    spec = AnalysisSpec.from_config(make_config(tmp_path, corrections=[one]))
    (dataset,) = spec.datasets.values()

    def met(some):
        changed = correct_objects(some, spec.corrections_of(dataset), (), NOMINAL, dataset, {})
        return (changed.MET.pt / some.MET.pt).tolist()

    assert len(set(met(events))) == len(events)
    assert met(events[::-1]) == met(events)[::-1]


def test_templates_do_not_depend_on_the_chunks(tmp_path):
    config = make_config(
        tmp_path,
        corrections=[SMEARED],
        channels=[
            {"name": "SR", "fit_observable": "pt",
             "observables": [observable("pt", "0,150,300", itself, [("Jet", "pt")])]}
        ],
    )  # fmt: skip
    whole = fill(config)
    nominal = whole.template("SR", "pt", "mc").sumw
    config["preprocess"]["skimming"] = {"chunk_size": 3}
    parts = fill(config)
    assert parts.template("SR", "pt", "mc").sumw.tolist() == nominal.tolist()
    config["corrections"] = [{**SMEARED, "name": "another"}]
    assert fill(config).template("SR", "pt", "mc").sumw.tolist() != nominal.tolist()
    config["preprocess"]["branches"]["event"] = ["x", "run"]
    with pytest.raises(MissingBranch, match="luminosityBlock, event"):
        fill(config)


def number_weight(normal):
    """Weight of each jet by its number."""
    return 1.0 + 0.1 * normal


def test_weights_read_the_numbers_of_sorted_and_masked_objects(tmp_path):
    weight = {"name": "tag", "type": "event", "use_correctionlib": False,
              "use": [("Jet", "random_normal")], "nominal_function": number_weight}  # fmt: skip
    turning = jets("turn", lambda pt: turned(pt) / pt, [("Jet", "pt")])
    mask = {"object": "Jet", "function": lambda mass: mass < 6.0, "use": [("Jet", "mass")]}
    config = make_config(
        tmp_path,
        corrections=[turning, weight],
        good_object_masks={"analysis": [mask]},
        channels=[
            {"name": "SR", "fit_observable": "event",
             "observables": [observable("event", "0.5,8.5,8", itself, [("event", "event")])]}
        ],
    )  # fmt: skip
    second, first = np.uint64(1), np.uint64(0)  # in the file, of the jets that are left
    kept = {1: [second], 3: [second], 6: [first, second], 8: [first]}
    expected = []
    for event in range(1, 9):
        seeds = seeds_of([1], [event], [event], "tag")
        numbers = [normal_numbers(seeds, np.array([one]))[0] for one in kept.get(event, [])]
        expected.append(np.prod([1.0 + 0.1 * one for one in numbers]))
    found = fill(config).template("SR", "event", "mc").values
    assert found == pytest.approx(expected, rel=1e-12)
