"""Awkward arrays as plain containers, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hepflow.errors import StorageError

FORMAT = 1  # of the container


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
        The container has another format or lacks buffers.
    """
    import awkward as ak

    if not isinstance(container, Mapping) or container.get("format") != FORMAT:
        found = container.get("format") if isinstance(container, Mapping) else type(container)
        raise StorageError(
            f"not an array container: format {FORMAT} expected, found {found!r}. "
            "Remove the file; the step that makes it writes it again."
        )
    try:
        form = ak.forms.from_json(container["form"])
        return ak.from_buffers(
            form, container["length"], container["buffers"], behavior=behavior, highlevel=True
        )
    except (KeyError, ValueError, TypeError) as error:
        raise StorageError(
            f"an array container is incomplete: {str(error).strip()}. "
            "Repeat the step that makes it."
        ) from error
