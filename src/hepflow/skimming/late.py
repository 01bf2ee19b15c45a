"""Objects of events that are read later, of those events only that are still there then."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.events import Branches, OpenFile, packed, read_events, with_behaviour
from hepflow.records import Dataset, WorkItem
from hepflow.skimming.opened import opened

Mask = NDArray[np.bool_]
Choose = Callable[[Any], Collection[str]]  # record without an event -> objects to read later


@dataclass(frozen=True)
class Late:
    """Objects that events of an entry range do not have yet."""

    dataset: Dataset
    item: WorkItem
    branches: Branches  # of these objects
    selected: Mask  # which events of the range are there
    template: Any  # record of events with all their objects, and without an event

    def read(self, mask: Mask) -> Any:
        """Read the objects of some events.

        Parameters
        ----------
        mask
            Which of the events that are there, shape (n_events,).

        Returns
        -------
        ak.Array
            Record array of the objects, shape (n_wanted,).

        Raises
        ------
        UnreadableFile
            If the file is damaged there.
        """
        wanted = self.selected.copy()
        wanted[wanted] = mask
        start, stop = self.item.entrystart, self.item.entrystop
        with opened(self.dataset, self.item) as file:
            events = read_events(file, self.branches, start, stop, mask=wanted)
        return with_behaviour(packed(events))


def template_of(file: OpenFile, branches: Branches, item: WorkItem) -> Any:
    """Record of the events of a file, without an event."""
    start = item.entrystart
    return with_behaviour(packed(read_events(file, branches, start, start)))
