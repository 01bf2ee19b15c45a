import numpy as np
import pytest

from hepflow.plotting import (
    correlation_numbers,
    draw_correlation,
    draw_pulls,
    draw_scan,
    pull_numbers,
)
from hepflow.plotting.style import house_style, style_of
from tests.figures.example import fit, limit, spec


def texts_of(artist):
    return [text.get_text() for text in artist.texts]


def inside(figure):
    with house_style(style_of(figure)):
        box = figure.get_tightbbox(figure.canvas.get_renderer())
    width, height = figure.get_size_inches()
    return box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height


def test_pulls_hold_the_numbers_with_the_first_on_top():
    result = fit()
    pulls, factors = draw_pulls(pull_numbers(result, ["ttbar_norm"]), spec()).axes
    line, _, (bars,) = pulls.containers[0].lines
    np.testing.assert_allclose(line.get_xdata(), result.bestfit[[1, 2]])
    np.testing.assert_array_equal(line.get_ydata(), [1, 0])
    segments = np.array(bars.get_segments())
    np.testing.assert_allclose(
        segments[:, 1, 0] - segments[:, 0, 0], 2 * result.uncertainty[[1, 2]]
    )
    assert [label.get_text() for label in pulls.get_yticklabels()] == ["jes", "lumi"]
    assert [label.get_text() for label in factors.get_yticklabels()] == ["mu", "ttbar norm"]
    assert "\N{MINUS SIGN}0.50 ± 0.50" in texts_of(factors)


def test_pulls_have_the_bands_and_room_for_the_largest():
    result = fit(("mu", "jes", "lumi"))
    result.bestfit[1] = -6.0
    pulls = draw_pulls(pull_numbers(result), spec()).axes[0]
    spans = sorted((p.get_x(), p.get_x() + p.get_width()) for p in pulls.patches)
    assert spans == [(-2, 2), (-1, 1)]
    assert pulls.get_xlim()[0] < -6.0 - result.uncertainty[1]


@pytest.mark.parametrize("labels", [("mu",), ("mu", "jes"), ("mu", *(f"s{i}" for i in range(60)))])
def test_pulls_of_any_number_fit_into_the_figure(labels):
    figure = draw_pulls(pull_numbers(fit(labels)), spec(), remarks=["99.2 % of data"])
    assert inside(figure)
    assert texts_of(figure) == ["99.2 % of data"]


def test_names_of_parameters_as_configured():
    look = spec(parameter_labels={"jes": r"$\mathrm{jet\ scale}$"})
    pulls = draw_pulls(pull_numbers(fit()), look).axes[0]
    assert pulls.get_yticklabels()[0].get_text() == r"$\mathrm{jet\ scale}$"


def test_correlation_holds_the_numbers():
    numbers = correlation_numbers(fit())
    figure = draw_correlation(numbers, spec())
    axes = figure.axes[0]
    np.testing.assert_array_equal(axes.images[0].get_array(), numbers.matrix)
    assert axes.images[0].get_clim() == (-1, 1)
    assert texts_of(axes).count("10") == 12  # off the diagonal of four parameters
    assert axes.get_yticklabels()[0].get_text() == "mu"
    assert inside(figure)


def test_a_large_correlation_matrix_says_what_is_left_out():
    result = fit(("mu", *(f"s{i}" for i in range(30))))
    result.correlation[3, 4] = result.correlation[4, 3] = 0.5
    figure = draw_correlation(correlation_numbers(result), spec(), remarks=["note"])
    assert texts_of(figure) == ["note", "28 parameters with smaller correlations not shown"]
    assert inside(figure)


def test_scan_holds_curves_bands_and_limits():
    result = limit()
    figure = draw_scan(result, spec())
    axes = figure.axes[0]
    curves = {line.get_label(): line for line in axes.lines}
    np.testing.assert_allclose(curves["Observed"].get_ydata(), result.scan.observed)
    np.testing.assert_allclose(curves["Expected"].get_ydata(), result.scan.expected[2])
    marks = [
        line.get_xdata()[0] for line in axes.lines if line.get_ydata()[0] == pytest.approx(0.05)
    ]
    assert result.observed in marks
    assert result.expected[2] in marks
    bands = [c for c in axes.collections if "sigma" in str(c.get_label())]
    assert len(bands) == 2
    band = next(c for c in bands if "1" in c.get_label()).get_paths()[0].vertices
    assert np.isclose(band[:, 1], result.scan.expected[3][1]).any()
    assert inside(figure)


def test_scan_states_limits_level_and_kind():
    result = limit()
    legend = draw_scan(result, spec(parameter_labels={"mu": r"$\mu$"})).axes[0].get_legend()
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts[0] == r"Observed: $\mu$ < 0.15"
    assert texts[1] == r"Expected: $\mu$ < 0.12$^{+0.06}_{-0.03}$"
    assert legend.get_title().get_text() == "95 % CL limits, expected a priori"


def test_scan_without_observed_limit():
    axes = draw_scan(limit(observed=False), spec()).axes[0]
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert not any("Observed" in text for text in texts)
    assert "Observed" not in {line.get_label() for line in axes.lines}


def test_a_limit_without_scan_is_refused():
    with pytest.raises(ValueError, match="no scan"):
        draw_scan(limit(scan=False), spec())
