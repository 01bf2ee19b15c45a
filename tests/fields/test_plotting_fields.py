"""Fields of the plots: what they say is in the figure, or in its file."""

from __future__ import annotations

import struct

import pytest
from matplotlib.colors import to_hex

from hepflow.analysis.figures import look, tasks_before_fit
from hepflow.plotting import (
    PlottingSpec,
    draw_all,
    draw_groups,
    draw_stack,
    group_numbers,
    stack_numbers,
)
from hepflow.records import GroupImpact, Ranking
from hepflow.schema import Config
from tests.builders import manager_of
from tests.fields.project import (
    fill,
    inputs,
    make_config,
    of_x,
    one_less,
    one_more,
    real,
    simulation,
)

GROUPS = (GroupImpact("jets", ("jes",), 0.1),)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A configuration with three simulated processes and data, and its histograms."""
    folder = tmp_path_factory.mktemp("plots")
    here = inputs(folder / "own")
    datasets = [
        simulation(here, name=name, cross_section=section)
        for name, section in (("signal", 0.5), ("top", 2.0), ("w", 20.0))
    ]
    config = make_config(
        folder,
        [*datasets, real(here)],
        channels=[{"name": "SR", "observables": [of_x(binning="1,3,2")], "fit_observable": "x"}],
        statistics={"norm_factors": [{"name": "mu", "processes": ["signal"]}]},
    )
    return config, fill(config)


@pytest.fixture
def drawn(base):
    """Axes of the figure, and its numbers, as the fields of the section say."""
    config, histograms = base

    def draw(channel=(), general=(), **fields):
        new = {**config, "plotting": fields, "general": {**config["general"], **dict(general)}}
        new["channels"] = [{**config["channels"][0], **dict(channel)}]
        spec = PlottingSpec.from_config(Config(**new))
        numbers = stack_numbers(histograms, "SR", "x", spec)
        return draw_stack(numbers, spec).axes[0], numbers

    return draw


def texts(axes):
    """Texts on the figure."""
    return {one.get_text() for one in axes.texts}


def legend(axes):
    """Labels of the legend."""
    return [one.get_text() for one in axes.get_legend().get_texts()]


@pytest.mark.field("plotting.process_colors")
def test_a_process_has_its_colour(drawn):
    def colour(axes):
        return next(to_hex(p.get_facecolor()) for p in axes.patches if p.get_label() == "top")

    assert colour(drawn()[0]) != "#123456"
    assert colour(drawn(process_colors={"top": "#123456"})[0]) == "#123456"


@pytest.mark.field("plotting.process_labels")
def test_a_process_has_its_label(drawn):
    assert "top" in legend(drawn()[0])
    found = legend(drawn(process_labels={"top": r"$t\bar{t}$"})[0])
    assert r"$t\bar{t}$" in found
    assert "top" not in found


@pytest.mark.field("plotting.parameter_labels")
def test_a_parameter_has_its_label(base):
    config, _ = base

    def names(**fields):
        look = PlottingSpec.from_config(Config(**{**config, "plotting": fields}))
        (axes,) = draw_groups(group_numbers(Ranking("mu", 1.0, 0.2, (), GROUPS)), look).axes
        return axes.get_xlabel(), [one.get_text() for one in axes.get_yticklabels()]

    assert names() == ("Uncertainty of mu", ["Total", "jets"])
    labels = {"mu": r"$\mu$"}
    assert names(parameter_labels=labels) == (r"Uncertainty of $\mu$", ["Total", "jets"])


@pytest.mark.field("plotting.process_order")
def test_the_order_is_by_yield_or_as_said(drawn):
    assert list(drawn()[1].stack) == ["top", "w"]
    assert list(drawn(process_order=["w", "top"])[1].stack) == ["w", "top"]


@pytest.mark.field("plotting.signal_processes")
def test_signals_are_lines(drawn):
    assert list(drawn()[1].lines) == ["signal"]  # of the parameter of interest
    numbers = drawn(signal_processes=["top"])[1]
    assert (list(numbers.lines), list(numbers.stack)) == (["top"], ["signal", "w"])


@pytest.mark.field("plotting.fold_overflow")
def test_overflow_is_drawn_in_the_edge_bins_of_data_and_simulation(drawn):
    numbers = drawn()[1]
    assert (numbers.stack["top"].tolist(), numbers.data.tolist()) == ([2.0, 1.0], [2.0, 1.0])
    numbers = drawn(fold_overflow=True)[1]
    assert (numbers.stack["top"].tolist(), numbers.data.tolist()) == ([5.0, 3.0], [3.0, 1.0])


@pytest.mark.field("plotting.log_scale")
def test_the_event_axis_is_logarithmic_where_asked_for(drawn):
    assert [drawn(log_scale=one)[0].get_yscale() for one in (False, True)] == ["linear", "log"]


@pytest.mark.field(
    "plotting.experiment", "plotting.status", "plotting.center_of_mass_energy", "channels[].label"
)
def test_texts_on_the_figure(drawn):
    plain = texts(drawn()[0])
    assert not {"ATLAS", "Internal"} & plain
    assert {"4 pb$^{-1}$ (13 TeV)", "SR (signal region)"} <= plain
    found = texts(
        drawn(
            experiment="ATLAS",
            status="Internal",
            center_of_mass_energy=13.6,
            channel={"label": "2 jets"},
        )[0]
    )
    assert {"ATLAS", "Internal", "4 pb$^{-1}$ (13.6 TeV)", "2 jets"} <= found


@pytest.mark.field("plotting.style")
def test_the_label_stands_where_figures_of_the_experiment_have_it(drawn):
    def place(style):
        axes = drawn(experiment="ours", **({"style": style} if style else {}))[0]
        (name,) = (one for one in axes.texts if one.get_text() == "ours")
        inside = name.get_window_extent().y1 < axes.get_window_extent().y1
        return inside, name.get_weight(), name.get_style()

    assert place(None) == place("CMS") == (False, "bold", "normal")
    assert place("ATLAS") == (True, "bold", "italic")
    assert [place(one)[0] for one in ("LHCb", "ALICE")] == [True, True]


@pytest.fixture
def written(base, tmp_path):
    """Files of the figures, as the fields of the section say."""
    config, histograms = base

    def write(**fields):
        new = {**config, "plotting": fields}
        new["general"] = {**config["general"], "output_dir": str(tmp_path / "out")}
        return draw_all(histograms, PlottingSpec.from_config(Config(**new)), manager_of(new))

    return write


@pytest.mark.field("plotting.formats")
def test_each_figure_is_written_in_all_formats(written):
    assert sorted(path.name for path in written()) == ["x.pdf", "x.png"]
    assert [path.name for path in written(formats=["svg"])] == ["x.svg"]


@pytest.mark.field("plotting.dpi")
def test_the_resolution_of_a_picture(written):
    def width(**fields):
        (path,) = written(formats=["png"], **fields)
        return struct.unpack(">I", path.read_bytes()[16:20])[0]  # of the header

    assert width(dpi=300) == pytest.approx(3 * width(dpi=100), abs=3)


@pytest.mark.field("plotting.template_variations")
def test_the_effect_of_sources_is_drawn_where_wanted(tmp_path):
    here = inputs(tmp_path / "in")
    source = {"name": "s", "type": "normalisation", "size": 0.1}
    shape = {
        "name": "t",
        "type": "event",
        "up_function": one_more,
        "down_function": one_less,
        "use": [("event", "x")],
    }
    config = make_config(tmp_path, [simulation(here), real(here)], systematics=[source, shape])
    histograms = fill(config)
    names = {}
    for wanted in (False, True):
        valid = Config(**{**config, "plotting": {"template_variations": wanted}})
        spec = look(valid, histograms)
        tasks = tasks_before_fit(valid, histograms, spec, manager_of(valid), ())
        names[wanted] = [task.name for task in tasks]
    assert [name for name in names[True] if name not in names[False]] == ["t"]
