"""Laws of datacards: what is written comes back, and no text does harm."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hepflow.errors import WorkspaceError
from hepflow.statistics.datacards import (
    card_text,
    export_card,
    import_card,
    parse_card,
    write_card,
)
from hepflow.statistics.datacards.morphing import (
    card_factor,
    largest_difference,
    morphed,
    workspace_factor,
)
from tests.unit.statistics.datacards.evaluator import CardLikelihood
from tests.unit.statistics.datacards.model import Model
from tests.unit.statistics.datacards.random_cards import random_card
from tests.unit.statistics.datacards.test_export import with_shapes
from tests.unit.statistics.datacards.test_import import COUNTS, SHAPES

pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver")  # pyhf 0.7 uses it

YIELDS = st.floats(0.5, 50.0)
FACTORS = st.floats(0.5, 2.0)


@st.composite
def workspaces(draw) -> dict[str, Any]:
    """One or two channels with a signal, backgrounds and sources of all kinds."""
    channels, observed = [], []
    for channel in draw(st.sampled_from([("sr",), ("sr", "cr")])):
        n_bins = draw(st.integers(1, 3))
        bins = st.lists(YIELDS, min_size=n_bins, max_size=n_bins)
        samples = []
        for name in ("signal", "top", "rest"):
            modifiers: list[dict[str, Any]] = []
            if name == "signal":
                modifiers.append({"name": "mu", "type": "normfactor", "data": None})
            if draw(st.booleans()):
                data = {"lo": draw(FACTORS), "hi": draw(FACTORS)}
                modifiers.append({"name": "norm", "type": "normsys", "data": data})
            for source in ("one", "two"):
                if draw(st.booleans()):
                    sides = {"lo_data": draw(bins), "hi_data": draw(bins)}
                    modifiers.append({"name": source, "type": "histosys", "data": sides})
            if name == "top":
                modifiers.append({"name": "k", "type": "normfactor", "data": None})
            if draw(st.booleans()):
                errors = [0.1 * value for value in draw(bins)]
                stat = {"name": f"stat_{channel}", "type": "staterror", "data": errors}
                modifiers.append(stat)
            samples.append({"name": name, "data": draw(bins), "modifiers": modifiers})
        channels.append({"name": channel, "samples": samples})
        observed.append({"name": channel, "data": draw(bins)})
    return {
        "channels": channels,
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        "observations": observed,
        "version": "1.0.0",
    }


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(workspace=workspaces())
def test_yields_of_any_model_come_back(workspace):
    exported = export_card(workspace)
    with tempfile.TemporaryDirectory() as folder:
        write_card(exported, folder)
        back = Model(import_card(Path(folder) / "datacard.txt", poi="mu").workspace)
    before = Model(workspace)
    points: list[dict[str, float]] = [{}, {"k": 1.7, "mu": 0.3}]
    names = {one.name for one in exported.card.nuisances} & set(back.labels)
    points += [{name: side} for name in names for side in (-1.0, 1.0)]
    for point in points:
        mine, others = before.expected(**point), back.expected(**point)
        for place, values in mine.items():
            assert values == pytest.approx(others[place], rel=1e-9), (place, point)


@settings(max_examples=25, deadline=None)
@given(workspace=workspaces())
def test_a_card_is_what_its_text_says(workspace):
    card = export_card(workspace).card
    assert parse_card(card_text(card)) == card


@pytest.mark.parametrize("text", [COUNTS, SHAPES])
def test_a_card_that_was_read_can_be_written_again(text):
    card = parse_card(text)
    assert parse_card(card_text(card)) == card


@pytest.mark.parametrize("seed", range(12))
def test_any_counting_card_has_the_likelihood_of_its_text(seed, tmp_path):
    made = random_card(seed)
    (tmp_path / "card.txt").write_text(made.text)
    ours = Model(import_card(tmp_path / "card.txt").workspace)
    theirs = CardLikelihood(tmp_path / "card.txt")
    rng = np.random.default_rng(seed)
    for r in (0.0, 1.7):
        point = made.point(rng)
        mine = {name: value / made.counted.get(name, 1) for name, value in point.items()}
        assert ours.twice_nll(r=r, **mine) == pytest.approx(theirs.twice_nll(point, r), rel=1e-10)


WORDS = st.sampled_from([*COUNTS.split(), *SHAPES.split(), "\n", "\n", "*", "-", "rate", "@0", "]"])


@settings(max_examples=150, deadline=None)
@given(words=st.lists(st.one_of(WORDS, st.text(max_size=6)), max_size=30))
def test_any_text_is_a_card_or_an_error_of_ours(words):
    text = " ".join(words)
    for one in (text, COUNTS.partition("lumi ")[0] + text):
        with contextlib.suppress(WorkspaceError):
            parse_card(one)


@given(down=FACTORS, up=FACTORS)
def test_factors_meet_where_it_is_said(down, up):
    theta = np.array([-3.0, -1.0, 0.0, 1.0, 2.2])
    assert workspace_factor(down, up, theta) == pytest.approx(card_factor(down, up, theta))
    inside = np.linspace(-1, 1, 41)
    ratio = workspace_factor(down, up, inside) / card_factor(down, up, inside) - 1
    assert np.abs(ratio).max() <= largest_difference(down, up) + 1e-12


def test_factors_are_those_of_pyhf():
    from pyhf.interpolators import code4, code4p

    low, nominal, high = np.array([3.0, 5.0]), np.array([4.0, 4.0]), np.array([4.5, 9.0])
    for theta in (-2.0, -0.7, 0.2, 1.0, 1.6):
        alpha = np.array([[theta]])
        factors = code4([[[[0.8], [1.0], [1.3]]]], subscribe=False)(alpha)
        assert workspace_factor(0.8, 1.3, theta) == pytest.approx(factors.item())
        shift = code4p([[[low, nominal, high]]], subscribe=False)(alpha)[0, 0, 0]
        assert morphed(nominal, low, high, theta) == pytest.approx(nominal + shift)


def test_names_that_begin_with_a_digit_are_those_of_combine(tmp_path):
    workspace = with_shapes()
    workspace["channels"][1]["name"] = workspace["observations"][1]["name"] = "1"
    exported = export_card(workspace)
    assert exported.renamed["bin1"] == "1"
    write_card(exported, tmp_path)
    names = {one["name"] for one in import_card(tmp_path / "datacard.txt").workspace["channels"]}
    assert names == {"sr", "bin1"}


def test_a_card_without_nuisances_has_no_table_of_them():
    lines = ("kmax 0", "bin a", "observation 5", "bin a a", "process s b", "process 0 1")
    card = parse_card("\n".join((*lines, "rate 1 4")))
    assert parse_card(card_text(card)) == card
