import itertools
import logging

import pytest

from hepflow.plotting import draw_scan, histogram_tasks, make_figure, write_figure
from hepflow.plotting.style import STYLES, house_style, new_figure, style_of
from tests.figures.example import Folders, histograms, limit, spec
from tests.figures.test_fit_figures import inside, texts_of


def stack(tmp_path, style):
    look = spec(style=style, experiment=style, formats=("png",), dpi=50)
    return histogram_tasks(histograms(), look, Folders(tmp_path / style))[0]


@pytest.mark.parametrize("style", STYLES)
def test_every_style_draws_every_text(tmp_path, style, caplog):
    task = stack(tmp_path, style)
    figure = make_figure(task)
    texts = texts_of(figure.axes[0])
    assert {style, "Preliminary", r"$\mu$+jets"} <= set(texts)
    beam = "16.4 fb$^{-1}$ (13 TeV)" if style == "CMS" else "$\\sqrt{s}$ = 13 TeV, 16.4 fb$^{-1}$"
    assert beam in texts
    assert inside(figure)
    caplog.clear()  # of what was measured outside of the style
    with caplog.at_level(logging.WARNING):
        write_figure(task)
    assert caplog.text == ""  # no letter is missing


@pytest.mark.parametrize("style", STYLES)
def test_nothing_is_drawn_behind_the_texts(tmp_path, style):
    axes = make_figure(stack(tmp_path, style)).axes[0]
    boxes = [text.get_window_extent() for text in axes.texts if text.get_text()]
    lowest = min(box.y0 for box in boxes)
    top = max(patch.get_data().values.max() for patch in axes.patches)
    assert axes.transData.transform((0, top))[1] < max(lowest, axes.get_window_extent().y1)
    for one, other in itertools.pairwise(boxes):
        assert not one.overlaps(other)


def test_letters_are_those_of_the_experiment(tmp_path):
    families = {}
    for style in STYLES:
        figure = make_figure(stack(tmp_path, style))
        with house_style(style):
            families[style] = figure.axes[0].texts[0].get_fontname()
    assert families["LHCb"].lower() == "tex gyre termes"
    assert {families[one] for one in ("CMS", "ATLAS", "ALICE")} == {"TeX Gyre Heros"}


def test_a_figure_is_written_in_the_style_in_which_it_was_drawn(tmp_path):
    with house_style("LHCb"):
        assert style_of(new_figure(spec(style="LHCb"))) == "LHCb"
    # One process draws in one style after the other: texts that are kept must not mix.
    first = {style: write_figure(stack(tmp_path / "a", style))[0].read_bytes() for style in STYLES}
    for style in reversed(STYLES):
        assert write_figure(stack(tmp_path / "b", style))[0].read_bytes() == first[style]


def test_a_scan_has_its_label_in_the_free_corner():
    axes = draw_scan(limit(), spec(style="ATLAS", experiment="ATLAS")).axes[0]
    (name,) = (text for text in axes.texts if text.get_text() == "ATLAS")
    assert not name.get_window_extent().overlaps(axes.get_legend().get_window_extent())
    assert name.get_window_extent().y1 < axes.get_window_extent().y1


def test_a_legend_gives_way_to_the_label_before_it_goes_below(tmp_path):
    look = spec(style="ATLAS", experiment="ATLAS", status="Work in progress")
    axes = make_figure(histogram_tasks(histograms(), look, Folders(tmp_path))[0]).axes[0]
    legend = axes.get_legend()
    assert len({round(text.get_window_extent().x0) for text in legend.get_texts()}) == 1
    beside, top = legend.get_window_extent(), axes.get_window_extent().y1
    assert beside.y1 > 0.95 * top
    assert max(text.get_window_extent().x1 for text in axes.texts) < beside.x0
    assert axes.get_ylim()[1] < 2 * max(p.get_data().values.max() for p in axes.patches)
