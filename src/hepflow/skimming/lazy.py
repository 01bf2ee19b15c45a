"""A skim as a dask-awkward collection."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from dask_awkward.lib.io.columnar import ColumnProjectionMixin
from dask_awkward.lib.io.io import from_map

from hepflow.errors import InputError
from hepflow.events import behaviour
from hepflow.keys import stable_hash
from hepflow.skimming.parts import AnyPart

# A vector without one of its coordinates is refused by coffea where it is made.
_COORDINATES = frozenset({"pt", "eta", "phi", "mass", "charge"})


def to_dask_awkward(dataset: str, parts: Sequence[AnyPart]) -> Any:
    """Make a collection with one partition for each part.

    Raises
    ------
    InputError
        If there is no part.
    """
    if not parts:
        raise InputError(f"{dataset}: the skim has no part, so that its columns are not known.")
    reader = PartReader(parts[0].form(), {"metadata": [dict(part.metadata) for part in parts]})
    return from_map(
        reader,
        list(parts),
        label=f"skim-{dataset}",
        token=stable_hash([part.identity for part in parts]),
        divisions=_divisions(parts),
    )


def _divisions(parts: Sequence[AnyPart]) -> tuple[int, ...] | None:
    """Event numbers where partitions begin, and the last ends; None where they are not known."""
    found = [0]
    for part in parts:
        if part.n_selected is None:
            return None
        found.append(found[-1] + part.n_selected)
    return tuple(found)


class PartReader(ColumnProjectionMixin):
    """Read a part, or the columns of it that a computation needs.

    Parameters
    ----------
    form : ak.forms.Form
        Of all columns.
    attrs
        Attributes of the collection.
    """

    use_optimization = True

    def __init__(self, form: Any, attrs: dict[str, Any]) -> None:
        self.form = form
        self.behavior = behaviour()
        self.attrs = attrs
        self.columns: list[str] | None = None  # all

    def project_columns(self, columns: frozenset[str]) -> PartReader:
        """Reader of these columns, and of the coordinates of the vectors that they are part of."""
        vectors = {one.rpartition(".")[0] for one in columns} - {""}
        coordinates = {
            name
            for name in self.form.columns()
            if name.rpartition(".")[0] in vectors and name.rpartition(".")[2] in _COORDINATES
        }
        found = copy.copy(self)
        found.columns = sorted(columns | coordinates)
        return found

    def __call__(self, part: AnyPart) -> Any:
        """Read one partition.

        Raises
        ------
        InputError
            If it has other columns than the first part.
        """
        events = part.read(self.columns)
        wanted = self.form.select_columns(self.columns) if self.columns is not None else self.form
        absent = sorted(set(wanted.columns()) - set(events.layout.form.columns()))
        surplus = self.columns is None and events.layout.form.type != wanted.type
        if absent or surplus:
            known = part.metadata
            what = ", ".join(absent) or "more, or of other types"
            raise InputError(
                f"{known['dataset']}: the part of {known['file']} from entry {known['entrystart']} "
                f"has other columns than the first ({what}). A collection has one set of columns: "
                "keep only branches that all files have."
            )
        return events
