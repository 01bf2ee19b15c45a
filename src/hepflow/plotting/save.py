"""Write figures: whole or not at all, and the same bytes for the same figure."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hepflow.errors import InputError
from hepflow.plotting.style import house_style
from hepflow.storage import atomic_writer, safe_join

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Times in a file would make every run's figures differ from the last run's.
_METADATA: dict[str, dict[str, Any]] = {
    "pdf": {"CreationDate": None},
    "png": {"Software": None},
    "svg": {"Date": None},
}


@contextlib.contextmanager
def typesetting(name: str) -> Iterator[None]:
    """Turn matplotlib's complaint about a text into an error that says where it comes from.

    Raises
    ------
    InputError
        A text of the figure `name` is not valid TeX.
    """
    try:
        yield
    except ValueError as error:
        if "Parse" not in f"{type(error.__cause__)}{error}":
            raise
        raise InputError(
            f"figure {name!r} has a text that is not valid TeX:{str(error).rstrip()}\n"
            "Check plotting.process_labels and the labels of channels and observables."
        ) from error


def save_figure(
    figure: Figure,
    folder: str | Path,
    name: str,
    formats: Sequence[str] = ("pdf", "png"),
    dpi: int = 150,
) -> list[Path]:
    """Write a figure once in each format.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Drawn by a function of this package; it is not changed.
    folder : str or Path
        Where to; made if missing.
    name : str
        File name without suffix.
    formats : sequence of str
        Among ``pdf``, ``png`` and ``svg``.
    dpi : int
        Resolution of PNG.

    Returns
    -------
    list of Path
        The files, in the order of `formats`.

    Raises
    ------
    InputError
        A text is not valid TeX, or a format is unknown.
    StorageError
        The folder can't be written.
    """
    unknown = [form for form in formats if form not in _METADATA]
    if unknown:
        raise InputError(
            f"figure {name!r}: unknown format {unknown[0]!r}. Use {', '.join(_METADATA)}."
        )
    written = []
    for form in formats:
        path = safe_join(Path(folder), f"{name}.{form}")
        options: dict[str, Any] = {"metadata": _METADATA[form]}
        if form == "png":
            options["pil_kwargs"] = {"compress_level": 4}  # twice as fast, files 5 % larger
        with atomic_writer(path) as temporary, house_style(), typesetting(name):
            figure.savefig(temporary, format=form, dpi=dpi, **options)
        written.append(path)
    return written
