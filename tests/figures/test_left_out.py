"""Figures of histograms without one of the cuts."""

from dataclasses import replace

import numpy as np
import pytest

from hepflow.plotting import draw_stack, stack_numbers
from hepflow.plotting.spec import LeftOut
from tests.figures.example import EDGES, WHERE, histograms, spec

NAME = ("SR", "n_minus_1_met")


def with_n_minus_1(*, data=True, nominal_only=False, leave=()):
    """The example with the same histogram once more, as if a cut were left out."""
    found = histograms(data=data)
    blocks = dict(found.blocks)
    for (channel, _, process), block in found.blocks.items():
        if process not in leave:
            mine = block.aligned(("nominal",)) if nominal_only else block
            blocks[channel, NAME[1], process] = mine
    return replace(found, axes={**found.axes, NAME: found.axes[WHERE]}, blocks=blocks)


def numbers_of(look, **options):
    return stack_numbers(with_n_minus_1(**options), *NAME, look)


def lines(axes):
    """Ends of the vertical lines, in x and fractions of the height."""
    found = [line for line in axes.lines if len(set(line.get_xdata())) == 1]
    return [
        (line.get_xdata()[0], *line.get_ydata()) for line in found if len(line.get_xdata()) == 2
    ]


@pytest.mark.parametrize("log", [True, False])
def test_each_threshold_is_a_line_that_ends_below_what_is_written(log):
    look = spec(log_scale=log, left_out={NAME: LeftOut("lead_pt", (400.0, 2600.0))})
    figure = draw_stack(numbers_of(look), look)
    main, ratio = figure.axes
    first, second = lines(main)
    assert (first[:2], second[:2]) == ((400.0, 0.0), (2600.0, 0.0))
    written = [text.get_window_extent() for text in main.texts]
    legend = main.get_legend().get_window_extent()
    for x, _, top in (first, second):
        place = main.transData.transform((x, 1.0))[0]
        end = main.transAxes.transform((0.0, top))[1]
        over = [box.y0 for box in (*written, legend) if box.x0 <= place <= box.x1]
        assert over
        assert top > 0.2
        assert end <= min(over)
    assert [one[0] for one in lines(ratio)] == [400.0, 2600.0]
    assert "All cuts but lead pt" in [text.get_text() for text in main.texts]


def test_without_data_there_is_one_panel_with_the_line():
    look = spec(left_out={NAME: LeftOut("met", (400.0,))})
    numbers = numbers_of(look, data=False)
    assert numbers.data is None
    (main,) = draw_stack(numbers, look).axes
    assert [one[0] for one in lines(main)] == [400.0]


def test_the_title_says_what_the_others_have_beyond_it():
    look = spec(left_out={NAME: LeftOut("met")})
    assert numbers_of(look).title == "All cuts but met"
    assert numbers_of(look, data=False).title == "All cuts but met"
    bare = numbers_of(look, nominal_only=True)
    assert bare.title == "All cuts but met (band without variations)"
    assert np.all(bare.band.up <= numbers_of(look).band.up)
    less = numbers_of(look, leave=("ttbar",))
    assert less.title == r"All cuts but met (without $\mathrm{t}\bar{\mathrm{t}}$)"
    both = numbers_of(look, leave=("ttbar",), nominal_only=True)
    assert both.title.endswith(r"$; band without variations)")


def test_other_histograms_have_neither_title_nor_line():
    look = spec(left_out={NAME: LeftOut("met", (400.0,))})
    numbers = stack_numbers(with_n_minus_1(), *WHERE, look)
    assert (numbers.title, numbers.thresholds) == ("", ())
    assert not lines(draw_stack(numbers, look).axes[0])


def test_a_threshold_outside_the_axis_does_not_move_it():
    look = spec(left_out={NAME: LeftOut("met", (50.0,))})
    main = draw_stack(numbers_of(look), look).axes[0]
    assert main.get_xlim() == (EDGES[0], EDGES[-1])
