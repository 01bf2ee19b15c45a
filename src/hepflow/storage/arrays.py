"""Awkward arrays as plain containers, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hepflow.errors import StorageError

FORMAT = 1  # of the container
_EMPTY_PER_BYTE = 1000  # elements without content, such as records without fields


def pack_array(array: Any) -> dict[str, Any]:
    """Return an awkward array as a plain container of its form and its buffers.

    Record names and other parameters stay; behaviours don't, they are attached on loading.

    Parameters
    ----------
    array : ak.Array
        Any layout. Virtual buffers are read.

    Returns
    -------
    dict
        ``{"format": 1, "form": str (JSON), "length": int, "buffers": {name: 1-d ndarray}}``
    """
    import awkward as ak

    packed = ak.to_packed(ak.materialize(array))
    form, length, buffers = ak.to_buffers(packed)
    flat = {name: np.ascontiguousarray(buffer).reshape(-1) for name, buffer in buffers.items()}
    return {"format": FORMAT, "form": form.to_json(), "length": int(length), "buffers": flat}


def unpack_array(container: Mapping[str, Any], behavior: Mapping[Any, Any] | None = None) -> Any:
    """Return the awkward array that `pack_array` made the container from.

    Parameters
    ----------
    container : mapping
        Result of `pack_array`.
    behavior : mapping, optional
        Behaviours to attach, such as those of vector.

    Raises
    ------
    StorageError
        The container has another format, lacks buffers, or its buffers contradict each other.
    """
    import awkward as ak

    if not isinstance(container, Mapping) or container.get("format") != FORMAT:
        found = container.get("format") if isinstance(container, Mapping) else None
        shown = found if isinstance(found, int) else type(container).__name__
        raise StorageError(
            f"not an array container: format {FORMAT} expected, found {shown!r}. "
            "Remove the file; the step that makes it writes it again."
        )
    try:
        form = ak.forms.from_json(container["form"])
        buffers = {str(name): _flat(buffer) for name, buffer in container["buffers"].items()}
        layout = ak.from_buffers(form, int(container["length"]), buffers, highlevel=False)
        check_layout(layout, sum(buffer.nbytes for buffer in buffers.values()))
        return ak.Array(layout, behavior=behavior)
    except (*_BROKEN, RecursionError, MemoryError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise StorageError(
            f"an array container is incomplete: {reason}. Repeat the step that makes it."
        ) from error


_BROKEN = (KeyError, ValueError, TypeError, AttributeError, IndexError, OverflowError)


def _flat(buffer: Any) -> np.ndarray[Any, Any]:
    if not isinstance(buffer, np.ndarray) or buffer.ndim != 1:
        raise TypeError("a buffer is no array of one dimension")
    return buffer


def check_layout(layout: Any, n_bytes: int) -> None:
    """Make sure that no list of an array reaches beyond its content.

    Compiled code takes offsets as they are: with wrong ones it reads and writes memory that
    belongs to something else.

    Parameters
    ----------
    layout : ak.contents.Content
    n_bytes
        What the buffers take [byte]; no content without buffers may be longer.

    Raises
    ------
    ValueError
        The array is invalid; the text says what is wrong.
    """
    import awkward as ak

    if layout.is_record:
        for content in layout.contents:
            check_layout(content, n_bytes)
        if not layout.contents:
            _check_length(layout, n_bytes)
    elif isinstance(layout, ak.contents.ListOffsetArray):
        check_offsets(layout.offsets.data, len(layout.content))
        check_layout(layout.content, n_bytes)
    elif isinstance(layout, ak.contents.RegularArray):
        if not layout.size:
            _check_length(layout, n_bytes)
        check_layout(layout.content, n_bytes)
    elif not layout.is_numpy:
        _check_other(layout, n_bytes)


def _check_other(layout: Any, n_bytes: int) -> None:
    """Layouts that are rare in events: awkward looks for what is wrong, contents included."""
    import awkward as ak

    wrong = ak.validity_error(layout)
    if wrong:
        raise ValueError(wrong)
    contents = layout.contents if layout.is_union else [layout.content] if layout.is_option else []
    if layout.is_indexed and not layout.is_option:
        contents = [layout.content]
    for content in contents:
        check_layout(content, n_bytes)


def check_offsets(offsets: Any, length: int) -> None:
    """Make sure that offsets rise and stay within a content.

    Raises
    ------
    ValueError
        They don't.
    """
    if offsets[0] < 0 or offsets[-1] > length or bool((offsets[1:] < offsets[:-1]).any()):
        raise ValueError(f"offsets reach out of the {length} values that they point to")


def _check_length(layout: Any, n_bytes: int) -> None:
    if len(layout) > max(n_bytes, 1) * _EMPTY_PER_BYTE:
        raise ValueError(f"it has {len(layout)} elements without content")
