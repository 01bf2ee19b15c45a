"""What the step `event_weights` of a subclass gives is what was asked for, or the user is told."""

from __future__ import annotations

import numpy as np
import pytest

from hepflow.analysis import Analysis
from hepflow.errors import UserFunctionError
from hepflow.records import NOMINAL
from tests.builders import (
    itself,
    make_skims,
    manager_of,
    scale_one,
    scale_up,
    tiny_config,
    toy_inputs,
)


def weight_up(met):
    return met * 0 + 1.05


WEIGHT = {"name": "e", "type": "event", "up_function": weight_up, "use": [("MET", "pt")]}
SHIFT = {
    "name": "s", "type": "object", "up_function": scale_up, "use": [("Jet", "pt")],
    "target": ("Jet", "pt"),
}  # fmt: skip
LINKED = {
    "name": "b", "type": "event", "use_correctionlib": False, "nominal_function": scale_one,
    "use": [("Jet", "pt")],
    "uncertainty_sources": [{"name": "l", "up_function": scale_up, "varies_with": "s"}],
}  # fmt: skip
N_MINUS_1 = {"cut": "jets", "function": itself, "use": [("MET", "pt")], "binning": "0,200,4"}


def process(folder, kind, **sections):
    config = tiny_config(folder, toy_inputs(folder / "in")[:1], **sections)
    config["channels"][0]["selection"]["n_minus_1"] = [{**N_MINUS_1, "variations": True}]
    analysis = kind(config, make_skims(config), manager_of(config))
    analysis.process(*analysis.processed_datasets["mc__nominal"][0])
    return analysis.raw


class OnlyNominal(Analysis):
    def event_weights(self, events, dataset, variations, shift=NOMINAL):
        return {"nominal": super().event_weights(events, dataset, ())["nominal"]}


def test_a_variation_that_is_left_out_is_named(tmp_path):
    told = "channel 'SR', dataset 'mc__nominal': returned no weights of 'e_up'. Return those of"
    with pytest.raises(UserFunctionError, match=told):
        process(tmp_path, OnlyNominal, systematics=[WEIGHT])
    assert process(tmp_path / "plain", OnlyNominal).blocks  # nothing was asked for


def test_a_variation_that_is_left_out_of_an_n_minus_1_histogram_is_named(tmp_path, monkeypatch):
    from hepflow.analysis import event_loop

    unchecked = lambda loop, events, dataset, variations, *_: Analysis.event_weights(  # noqa: E731
        loop, events, dataset, variations
    )
    monkeypatch.setattr(event_loop, "checked_weights", unchecked)  # the channel's own
    with pytest.raises(UserFunctionError, match="returned no weights of 'e_up'"):
        process(tmp_path, OnlyNominal, systematics=[WEIGHT])


class WithoutShift(Analysis):
    def event_weights(self, events, dataset, variations):
        return super().event_weights(events, dataset, variations)


class OfWhatItIsGiven(Analysis):
    def event_weights(self, *arguments):
        return super().event_weights(*arguments)


def test_a_step_without_the_fourth_argument_is_told_where_a_source_is_linked(tmp_path):
    with pytest.raises(UserFunctionError, match="event_weights of WithoutShift: takes no fourth"):
        process(tmp_path / "a", WithoutShift, systematics=[SHIFT], corrections=[LINKED])
    assert process(tmp_path / "b", WithoutShift, systematics=[SHIFT, WEIGHT]).blocks
    found = process(tmp_path / "c", OfWhatItIsGiven, systematics=[SHIFT], corrections=[LINKED])
    plain = process(tmp_path / "d", Analysis, systematics=[SHIFT], corrections=[LINKED])
    for key, block in plain.blocks.items():
        assert found.blocks[key].variations == block.variations
        np.testing.assert_allclose(found.blocks[key].sumw, block.sumw, rtol=1e-12)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (lambda events: np.ones(len(events)), "returned ndarray, expected a dict"),
        (lambda _: None, "returned NoneType, expected a dict"),
        (lambda events: {"nominal": [[1.0], [1.0, 2.0]] * len(events)}, "is no array of numbers"),
        (lambda events: {"nominal": ["x"] * len(events)}, "'nominal' is no array of numbers"),
    ],
    ids=["array", "none", "lists", "text"],
)
def test_weights_are_numbers_by_name(tmp_path, given, told):
    class Own(Analysis):
        def event_weights(self, events, dataset, variations, shift=NOMINAL):
            return given(events)

    with pytest.raises(UserFunctionError, match=told):
        process(tmp_path, Own)
