"""Write figures: whole or not at all, and the same bytes for the same figure."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hepflow.errors import InputError
from hepflow.plotting.style import house_style, style_of
from hepflow.storage import atomic_writer, safe_join

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from hepflow.plotting.recording import Recording

# Times in a file would make every run's figures differ from the last run's.
_METADATA: dict[str, dict[str, Any]] = {
    "pdf": {"CreationDate": None},
    "png": {},
    "svg": {"Date": None},
}
_RGBA = 6  # colour type of PNG


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
    remarks: Sequence[str] = (),
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
    remarks : sequence of str
        What the figure says about its input; it is written into the files as well, as keywords
        (PDF, SVG) or description (PNG), so that it stays with them where the margin is cut off.

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
    from hepflow.plotting.recording import record

    paths = [safe_join(Path(folder), f"{name}.{form}") for form in formats]
    with house_style(style_of(figure)), typesetting(name):
        recording = record(figure, dpi)
        for path, form in zip(paths, formats, strict=True):
            with atomic_writer(path) as temporary:
                Path(temporary).write_bytes(_content(recording, form, remarks))
    return paths


def _content(recording: Recording, form: str, remarks: Sequence[str]) -> bytes:
    if form == "png":
        return _png(recording, remarks)
    buffer = io.BytesIO()
    said = {"Keywords": "; ".join(remarks) if form == "pdf" else list(remarks)} if remarks else {}
    metadata = _METADATA[form] | said
    recording.figure().savefig(buffer, format=form, dpi=recording.dpi, metadata=metadata)
    return buffer.getvalue()


def _png(recording: Recording, remarks: Sequence[str]) -> bytes:
    """PNG of a figure: without the search for the best filter, which takes twice its writing.

    Figures are flat colours, for which no filter is as good as the best.
    """
    dpi, (height, width) = recording.dpi, recording.pixels.shape[:2]
    lines = np.zeros((height, 1 + 4 * width), dtype=np.uint8)  # each starts with its filter, none
    lines[:, 1:] = recording.pixels.reshape(height, 4 * width)
    per_metre = round(dpi / 0.0254)
    text = b"Description\0\0\0\0\0" + "; ".join(remarks).encode()  # not compressed, any language
    chunks = (
        (b"IHDR", struct.pack(">2I5B", width, height, 8, _RGBA, 0, 0, 0)),
        (b"pHYs", struct.pack(">2IB", per_metre, per_metre, 1)),
        *([(b"iTXt", text)] if remarks else []),
        (b"IDAT", zlib.compress(lines.data, level=2)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)


def _chunk(name: bytes, content: bytes) -> bytes:
    ends = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + ends
