from dataclasses import replace

import numpy as np
import pytest

from hepflow.plotting import (
    draw_band,
    draw_contour,
    draw_goodness,
    draw_likelihood,
    goodness_numbers,
    likelihood_numbers,
    limit_band,
)
from tests.figures.example import limit, spec
from tests.figures.inference import goodness, scan, scan_of_two
from tests.figures.test_fit_figures import inside, texts_of

STYLES = ("CMS", "ATLAS", "LHCb", "ALICE")


def legend_of(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_the_likelihood_has_its_curve_levels_and_intervals():
    figure = draw_likelihood(likelihood_numbers([scan()]), spec())
    (axes,) = figure.axes
    curve, *levels = axes.lines
    np.testing.assert_allclose(curve.get_ydata(), scan().delta)
    assert [line.get_ydata()[0] for line in levels] == pytest.approx([1.0, 3.841], abs=1e-3)
    assert {"68 %", "95 %"} <= set(texts_of(axes))
    ends = sorted(c.get_segments()[0][0][0] for c in axes.collections)
    assert ends == pytest.approx([0.408, 0.6, 1.0, 1.192], abs=1e-3)
    assert legend_of(axes) == ["Observed: mu = 0.80$^{+0.20}_{-0.20}$"]
    assert axes.get_xlim() == (0.0, 2.0)
    assert inside(figure)


def test_observed_and_expected_share_a_figure():
    both = [scan(), scan(0.5, 0.25, "asimov")]
    axes = draw_likelihood(likelihood_numbers(both), spec()).axes[0]
    first, second = axes.lines[:2]
    assert (first.get_linestyle(), second.get_linestyle()) == ("-", "--")
    assert legend_of(axes)[1].startswith("Expected (Asimov): mu = 0.50")


def test_a_side_without_end_is_not_said():
    open_ended = replace(scan().intervals[0], low=None)
    one = replace(scan(), intervals=(open_ended,))
    axes = draw_likelihood(likelihood_numbers([one]), spec()).axes[0]
    assert legend_of(axes) == ["Observed: mu = 0.8"]
    assert len(axes.collections) == 1


@pytest.mark.parametrize("style", STYLES)
def test_curves_stay_below_the_texts(style):
    look = spec(style=style, experiment=style)
    (axes,) = draw_likelihood(likelihood_numbers([scan()]), look).axes
    legend = axes.get_legend().get_window_extent()
    for line in axes.lines:
        assert line.get_clip_box().y1 <= legend.y0
    height = axes.get_ylim()[1]
    assert height > 2 * 3.84  # both levels are seen


def test_contours_are_ellipses_around_the_best_fit():
    figure = draw_contour(likelihood_numbers([scan_of_two()]), spec())
    (axes,) = figure.axes
    lines = axes.collections[-1]
    for path, rise in zip(lines.get_paths(), (2.2957, 5.9915), strict=True):
        x, y = path.vertices.T
        np.testing.assert_allclose(((x - 0.8) / 0.2) ** 2 + ((y - 1.0) / 0.1) ** 2, rise, rtol=0.02)
    assert [line.get_xydata().tolist() for line in axes.lines] == [[[0.8, 1.0]]]
    assert legend_of(axes) == ["Best fit", "68 % CL", "95 % CL"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("mu", "k")
    assert inside(figure)


def band(**fields):
    values = (1000.0, 2000.0, 3000.0)
    limits = [
        replace(limit(), expected=tuple(k * size for k in (0.5, 0.7, 1, 1.4, 2)), observed=size)
        for size in (0.1, 0.5, 2.0)
    ]
    return limit_band(values, limits, label="$m$ [GeV]", **fields)


def test_the_band_holds_limits_and_prediction():
    figure = draw_band(band(), spec())
    (axes,) = figure.axes
    curves = {line.get_label(): line.get_ydata() for line in axes.lines}
    np.testing.assert_allclose(curves["Observed"], [0.1, 0.5, 2.0])
    np.testing.assert_allclose(curves["Expected"], [0.1, 0.5, 2.0])
    np.testing.assert_allclose(curves["Prediction"], 1.0)
    assert len(axes.collections) == 2
    assert axes.get_yscale() == "log"
    assert axes.get_xlim() == (1000.0, 3000.0)
    assert axes.get_ylim()[0] < 0.05
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("$m$ [GeV]", "Upper limit on mu")
    assert axes.get_legend().get_title().get_text() == "95 % CL upper limits"
    assert inside(figure)


def test_limits_on_cross_sections_are_scaled():
    axes = draw_band(band(cross_sections=[10.0, 1.0, 0.1]), spec()).axes[0]
    curves = {line.get_label(): line.get_ydata() for line in axes.lines}
    np.testing.assert_allclose(curves["Observed"], [1.0, 0.5, 0.2])
    np.testing.assert_allclose(curves["Prediction"], [10.0, 1.0, 0.1])
    assert axes.get_ylabel() == "Cross section [pb]"


def test_a_narrow_band_has_a_linear_axis_and_no_observed_limit_where_blind():
    limits = [limit(observed=False, scan=False)] * 2
    blind = replace(limit_band([1.0, 2.0], limits), theory=None)
    axes = draw_band(blind, spec()).axes[0]
    assert axes.get_yscale() == "linear"
    assert legend_of(axes) == ["Expected", r"Expected $\pm 1\sigma$", r"Expected $\pm 2\sigma$"]


def test_toys_with_the_observed_statistic():
    figure = draw_goodness(goodness_numbers(goodness(failed=2)), spec(), remarks=["note"])
    (axes,) = figure.axes
    (toys,) = axes.patches
    assert toys.get_data().values.sum() == 400
    assert axes.collections[0].get_segments()[0][0][0] == 9.0
    assert legend_of(axes) == [
        "400 toys",
        r"$\chi^2$ with 6 degrees of freedom",
        "Observed: 9, p = 0.174 ± 0.019",
    ]
    assert texts_of(figure) == ["note", "2 toys whose fit did not converge are left out"]
    assert inside(figure)


def test_toys_without_degrees_of_freedom():
    result = replace(goodness(), degrees_of_freedom=0, p_value=None)
    assert legend_of(draw_goodness(goodness_numbers(result), spec()).axes[0]) == [
        "400 toys", "Observed: 9"
    ]  # fmt: skip
