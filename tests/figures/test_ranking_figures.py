import numpy as np
import pytest

from hepflow.plotting import draw_groups, draw_ranking, group_numbers, ranking_numbers
from tests.figures.example import spec
from tests.figures.inference import ranking
from tests.figures.test_fit_figures import inside, texts_of


def bars_of(axes):
    """Width of each filled and each outlined bar by row from the top."""
    rows = max(round(bar.get_y() + bar.get_height() / 2) for bar in axes.patches)
    found = {True: {}, False: {}}
    for bar in axes.patches:
        row = rows - round(bar.get_y() + bar.get_height() / 2)
        found[bar.get_fill()].setdefault(row, []).append(bar.get_width())
    return found


def test_impacts_are_bars_with_the_largest_on_top():
    impacts, _ = draw_ranking(ranking_numbers(ranking()), spec()).axes
    bars = bars_of(impacts)
    for row, size in enumerate((0.1, 0.05, 0.1 / 3, 0.025)):
        np.testing.assert_allclose(bars[True][row], [-size, 0.9 * size])
        if row == 1:
            assert row not in bars[False]  # nothing is known of a free parameter before the fit
        else:
            np.testing.assert_allclose(bars[False][row], [-1.25 * size, 1.125 * size])
    names = [label.get_text() for label in impacts.get_yticklabels()][:4]
    assert names == ["1. np 1", "2. np 2", "3. np 3", "4. np 4"]
    assert impacts.get_xlim()[0] == -impacts.get_xlim()[1] < -0.125


def test_pulls_are_points_on_the_upper_axis():
    impacts, pulls = draw_ranking(ranking_numbers(ranking()), spec()).axes
    line, _, (bars,) = pulls.containers[0].lines
    np.testing.assert_allclose(line.get_xdata(), [0.5, 0.5, 0.5])
    np.testing.assert_array_equal(line.get_ydata(), [3, 1, 0])  # the second is free
    segments = np.array(bars.get_segments())
    np.testing.assert_allclose(segments[:, 1, 0] - segments[:, 0, 0], 1.6)
    assert pulls.get_ylim() == impacts.get_ylim()
    assert pulls.xaxis.get_label_position() == "top"
    assert {"= 1.100 ± 0.050", "0.50 ± 0.80", "mu = 0.40 ± 0.20"} <= set(texts_of(impacts))


@pytest.mark.parametrize("count", [1, 20, 60])
def test_the_figure_holds_the_twenty_largest_and_says_what_is_left_out(count):
    figure = draw_ranking(ranking_numbers(ranking(count)), spec(), remarks=["99 % of data"])
    assert len(figure.axes[0].get_yticks()) == min(count, 20)
    left = ["40 parameters with other impacts not shown"] if count == 60 else []
    assert texts_of(figure) == ["99 % of data", *left]
    assert inside(figure)


def test_a_further_page_goes_on_where_the_first_ends():
    numbers = ranking_numbers(ranking(25), first=21)
    assert numbers.labels == ("np_21", "np_22", "np_23", "np_24", "np_25")
    names = draw_ranking(numbers, spec()).axes[0].get_yticklabels()
    assert names[0].get_text() == "21. np 21"


def test_long_names_widen_the_figure():
    labels = {"np_1": "a very long name of a nuisance parameter with its year"}
    figure = draw_ranking(ranking_numbers(ranking()), spec(parameter_labels=labels))
    assert figure.get_figwidth() > draw_ranking(ranking_numbers(ranking()), spec()).get_figwidth()
    assert inside(figure)


def test_groups_are_bars_below_the_total():
    figure = draw_groups(group_numbers(ranking()), spec())
    (axes,) = figure.axes
    np.testing.assert_allclose([bar.get_width() for bar in axes.patches], [0.2, 0.1, 0.03, 0.15])
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["Total", "jets", "theory", "data statistics"]
    assert {"0.2 (100 %)", "0.1 (50 %)", "0.03 (15 %)"} <= set(texts_of(axes))
    assert axes.get_xlim() == (0.0, pytest.approx(0.216))
    assert inside(figure)
