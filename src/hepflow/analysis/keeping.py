"""Which events of a dataset count: of an inclusive sample those that no slice holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.analysis.spec import AnalysisSpec
from hepflow.functors import mask_of
from hepflow.records import Dataset

STEP = "kept"  # in the cutflow


def kept_rows(
    spec: AnalysisSpec, events: Any, dataset: Dataset, copies: int
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Step of the cutflow for what a dataset keeps, where any dataset of its process does.

    Parameters
    ----------
    events
        As they are in the file, shape (n_events,).
    copies
        How often the events stand in the stack.

    Yields
    ------
    tuple
        Name of the step, and its mask, shape (copies * n_events,).

    Raises
    ------
    MaskError
        If the function does not return one boolean for each event.
    """
    # Datasets of a process are added up: their cutflows have the same steps.
    if not any(spec.datasets[key].process == dataset.process for key in spec.keeps):
        return
    wanted = spec.keeps.get(dataset.key)
    mask = np.ones(len(events), np.bool_) if wanted is None else mask_of(wanted, events)
    yield STEP, np.tile(mask, copies)
