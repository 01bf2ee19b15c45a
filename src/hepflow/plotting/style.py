"""How figures look: fonts, colours, texts. Sizes are those of a figure 7 inches wide."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import logging
import re
import runpy
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from hepflow.plotting.sharing import shared_work
from hepflow.plotting.spec import PlottingSpec

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Box = tuple[float, float, float, float]
WHICH: tuple[Literal["x"], Literal["y"]] = ("x", "y")

# M. A. Petroff, arXiv:2107.02270, ten colours that colour-blind readers can tell apart, and
# two that keep the same distance from them.
PALETTE = (
    "#3f90da", "#ffa90e", "#94a4a2", "#832db6", "#a96b59", "#e76300",
    "#b9ac70", "#717581", "#92dadd", "#bd1f01", "#1d3a6e", "#f5c4dc",
)  # fmt: skip
LINE_COLOURS = ("#e42536", "#7a21dd", "#1845fb", "#0a6b3d")  # of signals, drawn as lines
LINE_STYLES = ("-", "--", "-.", ":")
ONE_SIGMA_COLOUR, TWO_SIGMA_COLOUR = "#607641", "#f5bb54"  # CMS's green and yellow
PULL_COLOURS = ("#b7c6a4", "#fbe0ad")  # the same, lighter, behind points
BAND_COLOUR = "#4d4d4d"
REMARK_COLOUR = "#bd1f01"
# By experiment: module of mplhep, style in it, and the folder of its letters.
_STYLES: dict[str, tuple[str, str, str]] = {
    "CMS": ("cms", "CMS", "texgyreheros"),
    "ATLAS": ("atlas", "ATLAS", "texgyreheros"),
    "LHCb": ("lhcb", "LHCb2", "texgyretermes"),
    "ALICE": ("alice", "ALICE", "texgyreheros"),
}
STYLES = tuple(_STYLES)
WIDTH = 7.0  # [inch]
PER_FEMTOBARN = 1000.0  # [1/pb] in 1/fb
SMALLEST, LARGEST = -4, 6  # powers of ten between which numbers have no exponent
SMALL, TINY = 14.0, 12.0  # font sizes [pt]
_SIZES: dict[str, Any] = {
    "font.size": 18.0,
    "axes.labelsize": 18.0,
    "xtick.labelsize": 15.5,
    "ytick.labelsize": 15.5,
    "legend.fontsize": SMALL,
    "axes.linewidth": 1.4,
    "xtick.major.size": 8.0,
    "xtick.minor.size": 4.0,
    "ytick.major.size": 8.0,
    "ytick.minor.size": 4.0,
    "xtick.major.width": 1.2,
    "ytick.major.width": 1.2,
    "xtick.minor.width": 0.6,
    "ytick.minor.width": 0.6,
    "xtick.major.pad": 5.0,
    "hatch.linewidth": 0.7,
    "xtick.minor.visible": False,  # drawn by `MinorTicks`
    "ytick.minor.visible": False,
    "pdf.compression": 3,  # half the time of the usual 6 for a few percent in size
    "pdf.fonttype": 42,  # journals refuse fonts of type 3
    "svg.hashsalt": "hepflow",  # else identifiers in SVG are random
    "axes.formatter.limits": (-5, 6),
    "axes.labelpad": 4.0,
    "axes.unicode_minus": True,
    "axes.autolimit_mode": "data",  # what is set by hand stays
    "lines.linewidth": 1.5,
    "lines.markersize": 6.0,
    "figure.autolayout": False,
    "figure.facecolor": "white",
    "legend.frameon": False,
    "patch.linewidth": 1.0,
    "savefig.bbox": None,  # cutting the margin off would need to draw everything once more
}


@contextlib.contextmanager
def house_style(style: str = STYLES[0]) -> Iterator[None]:
    """Draw and write figures within this; matplotlib's settings are restored afterwards."""
    import matplotlib as mpl

    settings: dict[Any, Any] = {**_experiment_style(style), **_SIZES}
    talk = logging.getLogger("matplotlib.mathtext")
    with mpl.rc_context(settings), shared_work():
        talk.addFilter(_says_something)
        try:
            yield
        finally:
            talk.removeFilter(_says_something)


def _says_something(record: logging.LogRecord) -> bool:
    r"""Whether a message tells something: matplotlib looks for ``\sqrt`` under many names."""
    return "__radicalbig__" not in record.getMessage()


@functools.cache
def _experiment_style(style: str) -> dict[str, Any]:
    """Style of mplhep, with its fonts, without the rest of that package where it can be.

    The rest imports pyplot and much else: a quarter of a second in each process that draws.
    """
    import matplotlib.font_manager as fonts
    import mplhep_data

    module, name, family = _STYLES[style]
    folder = importlib.util.find_spec("mplhep")
    if folder is None or not folder.submodule_search_locations:
        raise ImportError("mplhep is not installed; it comes with hepflow. Install hepflow again.")
    path = Path(folder.submodule_search_locations[0]) / "styles" / f"{module}.py"
    for font in sorted((Path(mplhep_data.__file__).parent / "fonts" / family).glob("*.[ot]tf")):
        fonts.fontManager.addfont(font)
    return {
        key: value
        for key, value in runpy.run_path(str(path))[name].items()
        if key != "axes.prop_cycle"  # colours are those of the processes
    }


def style_of(figure: Figure) -> str:
    """Style in which `new_figure` began a figure: its texts are set anew when it is written."""
    label = str(figure.get_label())
    return label if label in _STYLES else STYLES[0]


def new_figure(spec: PlottingSpec, height: float = WIDTH, width: float = WIDTH) -> Figure:
    """Make an empty figure that pyplot doesn't know of; sizes in inches.

    Its resolution is that of the PNG: what was measured then need not be measured again.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=spec.dpi)
    figure.set_label(spec.style)
    FigureCanvasAgg(figure)
    return figure


def process_colours(names: Sequence[str], spec: PlottingSpec) -> dict[str, str]:
    """Colour of each filled process: as configured, else from the palette; signals as lines.

    A process has the same colour in all figures, because the palette is dealt out in the
    order of the configuration; colours that the configuration uses are left out.
    """
    used = {colour.lower() for colour in spec.colors.values()}
    free = [colour for colour in PALETTE if colour not in used] or list(PALETTE)
    everyone = dict.fromkeys((*spec.processes, *names))
    others = [name for name in everyone if name not in spec.signals and name not in spec.colors]
    dealt = {name: free[i % len(free)] for i, name in enumerate(others)}
    dealt |= {name: line_colour(name, spec)[0] for name in spec.signals}
    return {name: spec.colors.get(name) or dealt[name] for name in names}


def line_colour(name: str, spec: PlottingSpec) -> tuple[str, str]:
    """Colour and line style of a signal that is drawn as a line."""
    index = spec.signals.index(name) if name in spec.signals else 0
    colour = spec.colors.get(name, LINE_COLOURS[index % len(LINE_COLOURS)])
    return colour, LINE_STYLES[index % len(LINE_STYLES)]


def parameter_label(name: str, spec: PlottingSpec) -> str:
    """Name of a parameter on figures: as configured, else `pretty`."""
    return spec.parameter_labels.get(name, pretty(name))


def pretty(name: str) -> str:
    """Name for people: TeX stays, underscores become spaces.

    Examples
    --------
    >>> pretty("muon_id_sf"), pretty(r"$m_{t}$")
    ('muon id sf', '$m_{t}$')
    """
    return name if "$" in name else name.replace("_", " ")


def number(value: float, digits: int = 3) -> str:
    """Number with so many significant digits and no exponent where that is readable.

    Examples
    --------
    >>> number(140.0), number(0.05), number(16393.2), number(12.345)
    ('140', '0.05', '16393', '12.3')
    """
    if value == 0 or not np.isfinite(value):
        return f"{value:g}"
    size = int(np.floor(np.log10(abs(value))))
    if not SMALLEST < size < LARGEST:
        return f"{value:.{digits}g}"
    text = f"{value:.{max(digits - 1 - size, 0)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def luminosity_text(luminosity: float | None, energy: float) -> str:
    """Text such as ``16.4 fb^-1 (13 TeV)`` in TeX, from a luminosity in 1/pb.

    Examples
    --------
    >>> luminosity_text(16394.0, 13.0)
    '16.4 fb$^{-1}$ (13 TeV)'
    """
    beam = f"{energy:g} TeV"
    if luminosity is None:
        return beam
    if luminosity < 0.1 * PER_FEMTOBARN:
        return f"{number(luminosity)} pb$^{{-1}}$ ({beam})"
    return f"{number(luminosity / PER_FEMTOBARN)} fb$^{{-1}}$ ({beam})"


def events_label(edges: Any, label: str) -> str:
    """Title of the event axis: the bin width where all are equal, else ``Events / bin``.

    Examples
    --------
    >>> events_label([200, 340, 480], "m [GeV]"), events_label([0, 1, 3], "m [GeV]")
    ('Events / 140 GeV', 'Events / bin')
    >>> events_label([0, 1, 2], "jets")
    'Events'
    """
    widths = np.diff(np.asarray(edges, dtype=np.float64))
    if not np.allclose(widths, widths[0], rtol=1e-6, atol=0.0):
        return "Events / bin"
    unit = re.search(r"\[([^\[\]]+)\]\s*$", label)
    if unit:
        return f"Events / {number(float(widths[0]))} {unit[1]}"
    return "Events" if np.isclose(widths[0], 1.0) else f"Events / {number(float(widths[0]))}"


def new_axes(
    figure: Figure, box: Box, minor: str = "xy", major: str = "", labels: str = "xy"
) -> Axes:
    """Add axes with ticks that are drawn quickly.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Which gets them.
    box : tuple of float
        Left, bottom, width, height in fractions of the figure.
    minor : str
        Axes with minor ticks: ``x``, ``y``, both or none.
    major : str
        Axes whose major ticks are drawn quickly, too; the others have matplotlib's.
    labels : str
        Those of `major` that have labels.
    """
    from hepflow.plotting.ticks import MajorTicks, MinorTicks, without_ticks

    with without_ticks(major):
        axes = figure.add_axes(box)
    for which in WHICH:
        if which in minor:
            MinorTicks(axes, which)
        if which in major:
            MajorTicks(axes, which, labelled=which in labels)
    return axes


def plain_exponent(axes: Axes, *, log: bool) -> None:
    """Keep the exponent of the event axis clear of the experiment's name."""
    if log:
        return
    from hepflow.plotting.ticks import MathOffset

    axes.yaxis.set_major_formatter(MathOffset())
    axes.ticklabel_format(axis="y", style="sci", scilimits=(-3, 5))
    offset = axes.yaxis.get_offset_text()
    offset.set_horizontalalignment("right")
    offset.set_x(-0.015)
    offset.set_fontsize(SMALL)
