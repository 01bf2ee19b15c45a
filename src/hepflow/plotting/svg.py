"""A figure as SVG that stands inside an HTML page, beside others."""

from __future__ import annotations

import hashlib
import io
import re
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from hepflow.plotting.style import house_style, style_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_METADATA: dict[str, Any] = dict.fromkeys(("Creator", "Date", "Format", "Type"))
_HEAD = re.compile(r'<svg [^>]*viewBox="(?P<box>[^"]+)"[^>]*>')
_UNUSED = re.compile(
    r"<metadata>.*?</metadata>|<!--.*?-->|<style[^>]*>.*?</style>|<defs>\s*</defs>", re.DOTALL
)
_NAME = re.compile(r'(?P<before>\bid="|href="#|url\(#)(?P<name>[^")]+)')
_GROUP_NAME = re.compile(r'<g id="(?:figure|axes|patch|line2d|text|legend)_\d+"')
_FRACTION = re.compile(r"(-?\d+\.\d{2})\d+")
_PLACES = re.compile(r'(?<= d=")[^"]*')
_SPACE = re.compile(r"\s*\n\s*")
_SHORTER = (
    ("xlink:href", "href"), ("#000000", "#000"), ("#ffffff", "#fff"), (": ", ":"), ("; ", ";"),
)  # fmt: skip
_LOOK = "stroke-linejoin:round;stroke-linecap:butt"  # matplotlib's, there for the whole page


def svg_text(figure: Figure, title: str = "", prefix: str = "") -> str:
    """Write a figure as an ``<svg>`` element for an HTML page.

    Letters are paths, so that the figure looks the same wherever it is opened. It has a white
    background, as large as the page lets it be, and refers to nothing outside of itself.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Drawn by a function of this package; it is not changed.
    title : str
        What the figure shows, for those who cannot see it, and while the mouse is above it.
    prefix : str
        Beginning of all identifiers, unique in the page; by default a digest of the figure.

    Returns
    -------
    str
        Without XML declaration; the same figure gives the same text.
    """
    from hepflow.plotting.recording import record

    buffer = io.StringIO()
    with house_style(style_of(figure)):
        recording = record(figure, figure.dpi)
        recording.figure().savefig(buffer, format="svg", metadata=_METADATA)
    return _element(buffer.getvalue(), title, prefix)


def _element(document: str, title: str, prefix: str) -> str:
    """Make matplotlib's document an element: small, and with names of its own."""
    head = _HEAD.search(document)
    if head is None:
        raise ValueError("matplotlib wrote an SVG without viewBox")
    body = _UNUSED.sub("", document[head.end() :])
    body = _PLACES.sub(lambda found: _FRACTION.sub(r"\1", found[0]).replace("\n", ""), body)
    body = _SPACE.sub("\n", _GROUP_NAME.sub("<g", body)).strip()
    for long, short in _SHORTER:
        body = body.replace(long, short)
    body = _renamed(body, prefix or "f" + hashlib.sha256(body.encode()).hexdigest()[:8])
    wide, tall = head["box"].split()[2:]
    label = escape(title, {'"': "&quot;"})
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{head["box"]}" width="{wide}" '
        f'height="{tall}" role="img" aria-label="{label}" '
        f'style="max-width:100%;height:auto;background:#fff;{_LOOK}">\n'
        f"{f'<title>{escape(title)}</title>' if title else ''}{body}\n"
    )


def _renamed(body: str, prefix: str) -> str:
    """Identifiers as prefix and number: they are half of the text of a figure."""
    numbers: dict[str, int] = {}

    def name(found: re.Match[str]) -> str:
        number = numbers.setdefault(found["name"], len(numbers))
        return f"{found['before']}{prefix}-{number}"

    return _NAME.sub(name, body)
