import itertools

import numpy as np
import pytest

from hepflow.plotting.spec import PlottingSpec
from hepflow.plotting.style import (
    PALETTE,
    events_label,
    line_colour,
    luminosity_text,
    process_colours,
)
from hepflow.plotting.texts import value_text

# Machado et al., IEEE TVCG 15 (2009) 1291: deuteranopia, on linear RGB.
DEUTERANOPIA = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]
)


def lab(colour, vision):
    """CIE L*a*b* (D65) of a colour as seen through `vision`."""
    value = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    linear = np.clip(vision @ linear, 0, 1)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    x, y, z = np.cbrt(np.array(to_xyz) @ linear / [0.9505, 1, 1.089] + 1e-12)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize(("vision", "least"), [(np.eye(3), 15.0), (DEUTERANOPIA, 7.0)])
def test_twelve_colours_are_told_apart(vision, least):
    seen = [lab(colour, vision) for colour in PALETTE]
    assert len(PALETTE) == 12
    distances = {
        (PALETTE[i], PALETTE[j]): np.linalg.norm(seen[i] - seen[j])
        for i, j in itertools.combinations(range(12), 2)
    }
    assert min(distances.values()) > least, min(distances, key=distances.get)


def test_a_process_has_one_colour_whatever_else_is_drawn():
    spec = PlottingSpec(processes=("signal", "a", "b", "c"), signals=("signal",))
    alone, together = process_colours(["b"], spec), process_colours(["c", "b", "a"], spec)
    assert alone["b"] == together["b"]
    assert len(set(together.values())) == 3


def test_configured_colours_are_not_dealt_again():
    spec = PlottingSpec(processes=tuple("abcdefghijkl"), colors={"l": PALETTE[0].upper()})
    colours = process_colours(tuple("abcdefghijkl"), spec)
    assert colours["l"] == PALETTE[0].upper()
    assert len({colour.lower() for colour in colours.values()}) == 12


def test_signal_has_the_same_colour_filled_and_as_a_line():
    spec = PlottingSpec(processes=("s", "a"), signals=("s",))
    assert process_colours(["s"], spec)["s"] == line_colour("s", spec)[0]
    assert process_colours(["s"], PlottingSpec(signals=("s",), colors={"s": "red"}))["s"] == "red"


@pytest.mark.parametrize(
    ("luminosity", "expected"),
    [
        (138000.0, "138 fb$^{-1}$ (13.6 TeV)"),
        (920.0, "0.92 fb$^{-1}$ (13.6 TeV)"),
        (36.0, "36 pb$^{-1}$ (13.6 TeV)"),
        (None, "13.6 TeV"),
    ],
)
def test_luminosity(luminosity, expected):
    assert luminosity_text(luminosity, 13.6) == expected


@pytest.mark.parametrize(
    ("edges", "label", "expected"),
    [
        (np.linspace(0, 1, 11), "score", "Events / 0.1"),
        (np.linspace(-3.2, 3.2, 65), r"$\phi$ [rad]", "Events / 0.1 rad"),
        ([0.0, 1.0, 3.0], "m [GeV]", "Events / bin"),
        ([0.0, 1.0, 2.0], "jets", "Events"),
    ],
)
def test_title_of_the_event_axis(edges, label, expected):
    assert events_label(edges, label) == expected


@pytest.mark.parametrize(
    ("value", "error", "expected"),
    [
        (-0.1234, 0.98, "\N{MINUS SIGN}0.12 ± 0.98"),
        (123.4, 56.7, "123 ± 57"),
        (1.0, 0.0, "1 (fixed)"),
        (1.0, float("nan"), "1 ± ?"),
    ],
)
def test_value_with_error(value, error, expected):
    assert value_text(value, error) == expected
