import numpy as np
import pytest

from hepflow.plotting import draw_stack, prediction_numbers, stack_numbers
from hepflow.plotting.layout import signal_factor
from hepflow.plotting.numbers import poisson_interval
from tests.figures.example import EDGES, WHERE, histograms, prediction, spec


def drawn(look, **options):
    numbers = stack_numbers(histograms(**options), *WHERE, look)
    return numbers, draw_stack(numbers, look)


def stairs(axes, label):
    found = [patch for patch in axes.patches if patch.get_label() == label]
    assert len(found) == 1, [patch.get_label() for patch in axes.patches]
    return found[0].get_data()


def legend_labels(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def points(axes):
    """Line and vertical error bars of the first error bar container with a marker."""
    return next(c for c in axes.containers if c.lines[0] is not None)


def test_stack_holds_the_numbers():
    numbers, figure = drawn(spec())
    main = figure.axes[0]
    bottom, top = stairs(main, "wjets"), stairs(main, r"$\mathrm{t}\bar{\mathrm{t}}$")
    np.testing.assert_allclose(bottom.values, numbers.stack["wjets"])
    np.testing.assert_allclose(bottom.baseline, 0)
    np.testing.assert_allclose(top.baseline, bottom.values)
    np.testing.assert_allclose(top.values, numbers.total)
    np.testing.assert_allclose(top.edges, EDGES)


def test_band_and_signal_hold_the_numbers():
    numbers, figure = drawn(spec())
    band = stairs(figure.axes[0], "Uncertainty")
    np.testing.assert_allclose(band.values, numbers.total + numbers.band.up)
    np.testing.assert_allclose(band.baseline, numbers.total - numbers.band.down)
    factor = signal_factor(numbers.lines["signal"], numbers.total, None, log=False)
    assert factor == 50
    line = stairs(figure.axes[0], r"$Z'$ ($\times$50)")
    np.testing.assert_allclose(line.values, 50 * numbers.lines["signal"])


def test_signal_factor_as_wanted_is_in_the_legend():
    _, figure = drawn(spec(signal_scale=7.0))
    assert r"$Z'$ ($\times$7)" in legend_labels(figure.axes[0])
    _, figure = drawn(spec(signal_scale=1.0))
    assert "$Z'$" in legend_labels(figure.axes[0])


def test_data_points_have_poisson_errors():
    numbers, figure = drawn(spec())
    seen = numbers.data > 0
    container = points(figure.axes[0])
    np.testing.assert_array_equal(container.lines[0].get_ydata(), numbers.data[seen])
    low, high = poisson_interval(numbers.data[seen])
    segments = np.array(container.lines[2][0].get_segments())
    np.testing.assert_allclose(segments[:, 0, 1], low)
    np.testing.assert_allclose(segments[:, 1, 1], high)


def test_ratio_panel_holds_the_ratio():
    numbers, figure = drawn(spec())
    panel = figure.axes[1]
    shown = points(panel).lines[0]
    index = np.searchsorted(EDGES, shown.get_xdata()) - 1
    np.testing.assert_allclose(shown.get_ydata(), (numbers.data / numbers.total)[index])
    assert panel.get_xlim() == figure.axes[0].get_xlim() == (EDGES[0], EDGES[-1])
    assert panel.get_xlabel() == "$m$ [GeV]"
    assert panel.get_ylabel() == "Data / Pred."


def test_points_outside_the_ratio_have_an_arrow():
    look = spec()
    histogram = histograms(scale=50.0)
    histogram.blocks[*WHERE, "data"].sumw[0, 3] *= 3
    histogram.blocks[*WHERE, "data"].sumw[0, 6] *= 0.1
    panel = draw_stack(stack_numbers(histogram, *WHERE, look), look).axes[1]
    arrows = {line.get_marker(): line.get_xdata() for line in panel.lines}
    centres = (np.array(EDGES[1:]) + EDGES[:-1]) / 2
    assert arrows["^"].tolist() == [centres[2]]
    assert arrows["v"].tolist() == [centres[5]]


def test_without_data_there_are_no_points_and_no_ratio():
    _, figure = drawn(spec(), data=False)
    assert len(figure.axes) == 1
    assert not figure.axes[0].containers
    assert "Data" not in legend_labels(figure.axes[0])
    assert figure.axes[0].get_xlabel() == "$m$ [GeV]"


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("channel", ["SR", r"$\mu$+jets channel, signal region with one b tag"])
def test_legend_and_texts_cover_nothing(log, channel):
    look = spec(log_scale=log, channel_labels={"SR": channel})
    numbers = stack_numbers(histograms(), *WHERE, look)
    figure = draw_stack(numbers, look, remarks=["99.2 % of data"])
    axes = figure.axes[0]
    renderer = figure.canvas.get_renderer()
    boxes = [axes.get_legend().get_window_extent(renderer)]
    boxes += [text.get_window_extent(renderer) for text in axes.texts if text.get_text() != ""]
    boxes = [box for box in boxes if box.y1 <= axes.bbox.y1]  # the experiment stands above
    assert len(boxes) == 3
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[i + 1 :])
    highest = np.maximum(numbers.total + numbers.band.up, poisson_interval(numbers.data)[1])
    for low, high, top in zip(EDGES, EDGES[1:], highest, strict=False):
        (x0, y), (x1, _) = axes.transData.transform([(low, top), (high, top)])
        assert not any(box.x0 < x1 and box.x1 > x0 and box.y0 < y for box in boxes)


def test_nothing_leaves_the_figure():
    _, figure = drawn(spec(), scale=5e4)
    box = figure.get_tightbbox(figure.canvas.get_renderer())
    width, height = figure.get_size_inches()
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= width
    assert box.y1 <= height


def test_log_scale():
    _, figure = drawn(spec(log_scale=True))
    assert figure.axes[0].get_yscale() == "log"
    assert 0 < figure.axes[0].get_ylim()[0] <= 0.5


@pytest.mark.parametrize(
    ("edges", "expected"),
    [(EDGES, "Events / 140 GeV"), ((*EDGES[:-1], 3500.0), "Events / bin")],
)
def test_event_axis_tells_the_bin_width(edges, expected):
    _, figure = drawn(spec(), edges=edges)
    assert figure.axes[0].get_ylabel() == expected


def test_texts_of_experiment_channel_and_remarks():
    look = spec()
    numbers = stack_numbers(histograms(), *WHERE, look)
    figure = draw_stack(numbers, look, remarks=["99.2 % of data"])
    texts = {text.get_text() for text in figure.axes[0].texts}
    assert {
        "CMS",
        "Preliminary",
        "16.4 fb$^{-1}$ (13 TeV)",
        r"$\mu$+jets",
        "99.2 % of data",
    } <= texts


def test_post_fit_stack_has_the_signal_on_top_and_the_models_band():
    look = spec()
    channel = prediction().channels[0]
    figure = draw_stack(prediction_numbers(channel, look, "Post-fit"), look)
    axes = figure.axes[0]
    assert legend_labels(axes)[:3] == ["Data", "$Z'$", r"$\mathrm{t}\bar{\mathrm{t}}$"]
    band = stairs(axes, "Uncertainty")
    np.testing.assert_allclose(band.values, channel.total + channel.uncertainty)
    assert "Post-fit" in {text.get_text() for text in axes.texts}


@pytest.mark.parametrize("log", [False, True])
def test_an_empty_histogram_is_drawn(log):
    look = spec(log_scale=log)
    histogram = histograms()
    for block in histogram.blocks.values():
        block.sumw[:], block.sumw2[:] = 0.0, 0.0
    figure = draw_stack(stack_numbers(histogram, *WHERE, look), look)
    low, high = figure.axes[0].get_ylim()
    assert low < high


def test_negative_bins_are_drawn():
    look = spec(log_scale=True)
    histogram = histograms()
    histogram.blocks[*WHERE, "wjets"].sumw[:, 19:] = -3.0
    draw_stack(stack_numbers(histogram, *WHERE, look), look)


def test_twelve_processes_have_a_readable_legend():
    names = tuple(f"process{i}" for i in range(12))
    look = spec(processes=names, signals=(), labels={})
    histogram = histograms()
    source = histogram.blocks[*WHERE, "ttbar"]
    for name in names:
        histogram.blocks[*WHERE, name] = source
    axes = draw_stack(stack_numbers(histogram, *WHERE, look), look).axes[0]
    assert len(legend_labels(axes)) == 17  # data, uncertainty, and the three of the example
    colours = {p.get_facecolor() for p in axes.patches if str(p.get_label()).startswith("process")}
    assert len(colours) == 12


def test_thirty_processes_leave_room_for_the_content():
    look = spec(labels={})
    histogram = histograms()
    for i in range(30):
        histogram.blocks[*WHERE, f"process{i}"] = histogram.blocks[*WHERE, "ttbar"]
    numbers = stack_numbers(histogram, *WHERE, look)
    figure = draw_stack(numbers, look)
    axes = figure.axes[0]
    box = axes.get_legend().get_window_extent(figure.canvas.get_renderer())
    assert axes.bbox.x0 < box.x0
    assert axes.bbox.y0 < box.y0
    assert axes.get_ylim()[1] < 4 * numbers.total.max()
