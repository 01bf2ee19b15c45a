"""What a figure says of its origin: experiment, status, luminosity and energy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hepflow.plotting.spec import PlottingSpec
from hepflow.plotting.style import SMALL, luminosity_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAME, BESIDE = 22.0, 16.5  # of the experiment, and of what stands beside it [pt]
NAME_DESCENT = 0.216  # of letters that reach below the line, in font sizes
STATUS_GAP = 5.0  # between the experiment and its status [pt]
INSIDE = ("ATLAS", "LHCb", "ALICE")  # whose labels stand in the axes, where these have room
INSIDE_SIZE, ASCENT = 19.0, 0.75  # of these labels [pt], and of their capitals
# How an experiment writes its name, and the status behind it.
NAME_LETTERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "CMS": ({"weight": "bold"}, {"style": "italic"}),
    "ATLAS": ({"weight": "bold", "style": "italic"}, {}),
    "LHCb": ({}, {}),
    "ALICE": ({}, {}),
}


def experiment_label(
    axes: Axes, spec: PlottingSpec, *, at_right: float = 1.0, lift: float = 0.0
) -> None:
    """Write the experiment above the axes at the left, luminosity and energy at the right.

    The places are those of `mplhep.label.exp_text`, which draws the whole figure to find them.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Above which it stands.
    spec : PlottingSpec
        Texts, and the style, which says how the name is written.
    at_right : float
        Where the text at the right ends, as a fraction of the axes' width.
    lift : float
        Distance from the axes [pt], for what else is above them.
    """
    from hepflow.plotting.recording import ruler

    above: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points"}
    y = NAME_DESCENT * NAME + lift
    letters, status = NAME_LETTERS[spec.style]
    name = axes.annotate(
        spec.experiment, (0.0, 1.0), xytext=(0.0, y), size=NAME, **letters, **above
    )
    width = name.get_window_extent(ruler(axes.figure.dpi)).width * 72 / axes.figure.dpi  # [pt]
    beside = (width + STATUS_GAP, y)
    axes.annotate(spec.status, (0.0, 1.0), xytext=beside, size=BESIDE, **status, **above)
    beam = luminosity_text(spec.luminosity, spec.energy)
    axes.annotate(
        beam, (at_right, 1.0), xytext=(0.0, lift), size=BESIDE, ha="right", va="bottom", **above
    )


def place_label(axes: Axes, spec: PlottingSpec) -> list[Any]:
    """Write the experiment where its figures have it, where the left upper corner has room."""
    if spec.style in INSIDE:
        return inside_label(axes, spec)[0]
    experiment_label(axes, spec)
    return []


def inside_label(
    axes: Axes, spec: PlottingSpec, *, at: tuple[float, float] = (0.04, 0.955)
) -> tuple[list[Any], float]:
    """Write the experiment into the axes, where its figures have it there.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Whose left upper corner has room.
    spec : PlottingSpec
        Texts, and the style.
    at : tuple of float
        Left end and top of the first line, in fractions of the axes.

    Returns
    -------
    texts : list of matplotlib.text.Text
        None for a style whose label stands above the axes.
    float
        Top of what follows below.
    """
    if spec.style not in INSIDE:
        return [], at[1]
    height = axes.get_window_extent().height * 72 / axes.figure.dpi  # [pt]
    (x, y), texts = at, []
    within: dict[str, Any] = {"va": "baseline", "transform": axes.transAxes}
    letters, status = NAME_LETTERS[spec.style]
    if spec.experiment or spec.status:
        y -= ASCENT * INSIDE_SIZE / height
        texts.append(axes.text(x, y, spec.experiment, size=INSIDE_SIZE, **letters, **within))
        beside = x + _width(axes, f"{spec.experiment} " if spec.experiment else "", texts[0])
        texts.append(axes.text(beside, y, spec.status, size=INSIDE_SIZE, **status, **within))
        y -= 0.55 * INSIDE_SIZE / height
    y -= ASCENT * SMALL / height
    texts.append(axes.text(x, y, inside_beam(spec), size=SMALL, **within))
    return texts, y - 0.65 * SMALL / height


def _width(axes: Axes, text: str, like: Any) -> float:
    """Width of a text in fractions of the axes, with the blank at its end."""
    from hepflow.plotting.recording import ruler

    renderer: Any = ruler(axes.figure.dpi)
    font = like.get_fontproperties()
    whole, mark = (
        renderer.get_text_width_height_descent(one, font, ismath=False)[0]
        for one in (f"{text}.", ".")
    )
    return float(whole - mark) / axes.get_window_extent().width


def inside_beam(spec: PlottingSpec) -> str:
    r"""Energy and luminosity as they stand inside axes.

    Examples
    --------
    >>> inside_beam(PlottingSpec(luminosity=139000.0))
    '$\\sqrt{s}$ = 13 TeV, 139 fb$^{-1}$'
    """
    energy = rf"$\sqrt{{s}}$ = {spec.energy:g} TeV"
    luminosity = luminosity_text(spec.luminosity, spec.energy).partition(" (")[0]
    return energy if spec.luminosity is None else f"{energy}, {luminosity}"
