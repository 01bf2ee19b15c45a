import numpy as np
import pytest
from matplotlib.patches import StepPatch

from hepflow.plotting import draw_variations, variation_numbers, workspace_variations
from hepflow.plotting.variation_numbers import Variation
from tests.figures.example import histograms, spec
from tests.figures.test_fit_figures import inside, texts_of


def steps(axes):
    return [patch for patch in axes.patches if isinstance(patch, StepPatch)]


def drawn(**fields):
    return draw_variations(
        variation_numbers(histograms(), "SR", "m_tt", "jes", spec()), spec(**fields)
    )


def test_events_on_top_and_a_ratio_for_the_sum_and_each_process():
    figure = drawn()
    top, *ratios = figure.axes
    assert len(ratios) == 4
    band, nominal, up, down = steps(top)
    np.testing.assert_allclose(up.get_data().values, 1.1 * nominal.get_data().values)
    np.testing.assert_allclose(down.get_data().values, 0.9 * nominal.get_data().values)
    assert (band.get_data().baseline < nominal.get_data().values).all()
    assert {"jes", r"$\mu$+jets"} <= set(texts_of(top))
    texts = [axes.texts[0].get_text() for axes in ratios]
    minus = "\N{MINUS SIGN}"
    assert texts == [
        f"{name}: +10.0 % / {minus}10.0 %"
        for name in ("Sum", r"$\mathrm{t}\bar{\mathrm{t}}$", "wjets", "$Z'$")
    ]
    for axes in ratios[:3]:
        _, up, down = steps(axes)
        np.testing.assert_allclose(up.get_data().values, 1.1)
        np.testing.assert_allclose(down.get_data().values, 0.9)
    assert inside(figure)


def test_a_bin_without_events_has_no_ratio():
    signal = drawn().axes[-1]
    up = steps(signal)[1].get_data().values
    assert np.isfinite(up).sum() == 3


def test_the_reach_of_a_panel_follows_the_effect():
    low, high = drawn().axes[1].get_ylim()
    assert (low, high) == pytest.approx((0.8, 1.35))


def test_axes_are_the_same_below_each_other_and_only_the_last_is_titled():
    figure = drawn()
    assert {axes.get_xlim() for axes in figure.axes} == {(200.0, 3000.0)}
    assert [bool(axes.get_xlabel()) for axes in figure.axes] == [False] * 4 + [True]


def workspace():
    def sample(name, data, *modifiers):
        return {"name": name, "data": data, "modifiers": list(modifiers)}

    shape = {"name": "jes", "type": "histosys", "data": {"hi_data": [12, 22], "lo_data": [9, 18]}}
    size = {"name": "jes", "type": "normsys", "data": {"hi": 1.1, "lo": 0.9}}
    spread = {"name": "stat", "type": "staterror", "data": [1.0, 2.0]}
    return {
        "channels": [
            {
                "name": "SR",
                "samples": [sample("b", [10, 20], shape, size, spread), sample("s", [1, 1])],
            }
        ]
    }


def test_a_workspace_gives_shape_times_size():
    (numbers,) = workspace_variations(workspace())
    (process,) = numbers.processes
    np.testing.assert_allclose(process.up, [12 * 1.1, 22 * 1.1])
    np.testing.assert_allclose(process.down, [9 * 0.9, 18 * 0.9])
    np.testing.assert_allclose(process.statistical, [1, 2])
    np.testing.assert_allclose(numbers.total.nominal, [11, 21])
    assert numbers.edges.tolist() == [0, 1, 2]
    axes = draw_variations(numbers, spec()).axes
    assert len(axes) == 3
    titled = workspace_variations(workspace(), {"SR": ("$m$ [GeV]", (0.0, 5.0, 9.0))})
    assert draw_variations(titled[0], spec()).axes[-1].get_xlabel() == "$m$ [GeV]"


def test_the_processes_with_the_largest_effect_have_panels():
    content = workspace()
    first = content["channels"][0]["samples"][0]
    nothing = {"name": "empty", "data": [0, 0], "modifiers": first["modifiers"][:1]}
    samples = [{**first, "name": f"b{i}"} for i in range(9)]
    content["channels"][0]["samples"] = [*samples, nothing]
    (numbers,) = workspace_variations(content)
    assert (len(numbers.processes), numbers.left_out) == (8, 2)
    figure = draw_variations(numbers, spec())
    assert len(figure.axes) == 10
    assert texts_of(figure) == ["2 processes with smaller effects not shown"]


def test_a_process_without_events_has_no_relative_change():
    empty = Variation("empty", np.zeros(2), np.ones(2), np.zeros(2), np.zeros(2))
    assert empty.sizes == (0.0, 0.0)
    assert empty.effect == 1.0


def test_a_single_process_is_not_drawn_twice():
    content = workspace()
    del content["channels"][0]["samples"][1]
    (numbers,) = workspace_variations(content)
    assert len(draw_variations(numbers, spec(), remarks=["note"]).axes) == 2
