"""From the content of a report to one file that needs nothing else."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hepflow.remote import shown
from hepflow.report.content import Block, Cell, Figure, ReportContent
from hepflow.report.numbers import counted
from hepflow.storage import atomic_write

if TYPE_CHECKING:
    from jinja2 import Template

REPORT_FILE: Final = "index.html"  # in the folder of the report
_SUFFIX: Final = {"image/png": "png", "image/svg+xml": "svg"}


def write_report(content: ReportContent, path: str | Path) -> Path:
    """Write a report as one HTML file: style, script and figures are inside.

    Texts are escaped, and URLs in them lose user, password and query.

    Parameters
    ----------
    content
        From `collect`, or made by hand.
    path
        The file; its folder is made if missing.

    Raises
    ------
    StorageError
        The file cannot be written.
    """
    path = Path(path)
    atomic_write(path, render(content))
    return path


def render(content: ReportContent) -> str:
    """The page as text."""
    from markupsafe import Markup

    # Our own files, which hold no text of a user's.
    style, script = (Markup(_page(name)) for name in ("style.css", "script.js"))  # noqa: S704
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return _template().render(content=content, style=style, script=script, script_digest=digest)


def _page(name: str) -> str:
    return (files("hepflow.report") / "page" / name).read_text(encoding="utf-8")


@functools.cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_without_secrets,
    )
    environment.filters |= {
        "attribute_of_cell": _text_at,
        "counted": counted,
        "data_uri": _data_uri,
        "file_name": _file_name,
        "kind": _kind,
    }
    return environment.from_string(_page("report.html.j2"))


def _without_secrets(value: Any) -> Any:
    return shown(value) if type(value) is str else value


def _text_at(row: Sequence[Cell], column: int) -> str:
    return row[column].text


def _data_uri(figure: Figure) -> Any:
    from markupsafe import Markup

    encoded = base64.b64encode(figure.image).decode()
    return Markup(f"data:{figure.media_type};base64,{encoded}")  # noqa: S704 - letters and digits


def _file_name(figure: Figure) -> str:
    return f"{figure.name}.{_SUFFIX[figure.media_type]}"


def _kind(block: Block) -> str:
    return type(block).__name__.lower()
