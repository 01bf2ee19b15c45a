"""Ticks and labels that are drawn quickly stand where matplotlib and mplhep put theirs."""

import numpy as np
import pytest

from hepflow.plotting import PlottingSpec
from hepflow.plotting.labels import experiment_label
from hepflow.plotting.style import (
    house_style,
    new_axes,
    new_figure,
    plain_exponent,
)
from hepflow.plotting.ticks import MinorTicks

BOX = (0.2, 0.2, 0.7, 0.7)


def minor_ticks(axes, which):
    return next(
        one for one in axes.get_children() if isinstance(one, MinorTicks) and one._which == which
    )


@pytest.mark.parametrize("limits", [(0.0, 873.0), (200.0, 3000.0), (1.5, 0.5), (-3e-4, 1e-3)])
@pytest.mark.parametrize("which", ["x", "y"])
def test_minor_ticks_are_matplotlibs_also_after_a_change_of_limits(limits, which):
    with house_style():
        ours, theirs = (new_figure(PlottingSpec()) for _ in range(2))
        quick, usual = new_axes(ours, BOX), theirs.add_axes(BOX)
        usual.minorticks_on()
        for axes in (quick, usual):
            (axes.set_xlim if which == "x" else axes.set_ylim)(limits)
        axis = usual.xaxis if which == "x" else usual.yaxis
        low, high = sorted(limits)
        wanted = [one for one in axis.get_minorticklocs() if low <= one <= high]
        found = minor_ticks(quick, which).positions()
        major = axis.get_majorticklocs()  # under which a minor tick is not seen
        inside = [one for one in found if not np.isclose(one, major, atol=1e-9 * high).any()]
    assert len(wanted) > 5
    np.testing.assert_allclose(sorted(inside), sorted(wanted), atol=1e-12)


def test_minor_ticks_look_as_matplotlibs():
    with house_style():
        ours, theirs = (new_figure(PlottingSpec()) for _ in range(2))
        new_axes(ours, BOX)
        theirs.add_axes(BOX).minorticks_on()
        images = []
        for figure in (ours, theirs):
            figure.canvas.draw()
            images.append(np.asarray(figure.canvas.buffer_rgba()).astype(int))
    # a line of whole pixels against a marker of fractions: the same within a shade
    blurred = [image[:, :, :3].mean(axis=2)[:-4].reshape(-1) for image in images]
    assert np.mean(np.abs(blurred[0] - blurred[1]) > 100) < 1e-3


def picture(limits, major, labels="xy"):
    with house_style():
        figure = new_figure(PlottingSpec())
        axes = new_axes(figure, BOX, "", major, labels)
        plain_exponent(axes, log=False)
        axes.set(xlim=limits, ylim=limits, xlabel="$m_{T}$ [GeV]")
        axes.yaxis.set_label_coords(-0.1, 1.0)
        if not major:
            axes.tick_params(labelbottom="x" in labels, labelleft="y" in labels)
        figure.canvas.draw()
        return np.asarray(figure.canvas.buffer_rgba()).astype(int)


@pytest.mark.parametrize("labels", ["xy", "y"])
@pytest.mark.parametrize("limits", [(0.0, 873.0), (0.0, 4.4e6), (1.5, 0.5), (-3e-4, 1e-3), (0, 1)])
def test_major_ticks_and_their_labels_are_matplotlibs(limits, labels):
    ours, theirs = picture(limits, "xy", labels), picture(limits, "", labels)
    assert np.abs(ours - theirs).max() <= 1  # of 255


def test_only_the_exponent_of_the_event_axis_is_tex():
    with house_style():
        figure = new_figure(PlottingSpec())
        axes = new_axes(figure, BOX)
        plain_exponent(axes, log=False)
        axes.set_ylim(0, 4.4e6)
        figure.draw_without_rendering()
        labels = [text.get_text() for text in axes.get_yticklabels()]
        assert labels[:3] == ["0.0", "0.5", "1.0"]
        offset = axes.yaxis.get_offset_text()
        assert offset.get_text() == r"$\times\mathdefault{10^{6}}\mathdefault{}$"
        axes.set_ylim(0, 880)
        figure.draw_without_rendering()
        assert offset.get_text() == ""


def boxes(figure, texts):
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    return {text.get_text(): text.get_window_extent(renderer).extents for text in texts}


@pytest.mark.parametrize("name", ["hepflow", "CMS", ""])
def test_the_experiment_stands_where_mplhep_puts_it(name):
    import mplhep

    look = PlottingSpec(experiment=name, status="Preliminary", luminosity=16394.0)
    with house_style():
        figure = new_figure(look)
        axes = new_axes(figure, BOX)
        experiment_label(axes, look)
        ours = boxes(figure, axes.texts)
        figure = new_figure(look)
        axes = figure.add_axes(BOX)
        lumi = "16.4 fb$^{-1}$ (13 TeV)"
        sizes = (22.0, 16.5, 16.5, 14.0)
        texts = mplhep.label.exp_text(
            name, "Preliminary", lumi=lumi, loc=0, ax=axes, fontsize=sizes, scilocator_adjust=False
        )
        theirs = boxes(figure, [text for text in texts if text is not None])
    for text in ("Preliminary", lumi, *([name] if name else [])):
        np.testing.assert_allclose(ours[text], theirs[text], atol=3.0)  # [px] at 150 dpi


def test_a_logarithmic_axis_keeps_the_ticks_of_its_scale():
    with house_style():
        axes = new_axes(new_figure(PlottingSpec()), BOX)
        axes.set_xlim(1, 100)
        assert len(minor_ticks(axes, "x").positions()) > 0
        axes.set_xscale("log")
        assert len(minor_ticks(axes, "x").positions()) == 0
        assert len(axes.xaxis.get_minorticklocs()) > 0
