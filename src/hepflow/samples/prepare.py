"""Make the sample with a progress bar, as a configuration's ``datasets.prepare`` calls it."""

from __future__ import annotations

from pathlib import Path

from hepflow.logging import progress
from hepflow.samples import truth
from hepflow.samples.build import ensure_sample, is_whole
from hepflow.samples.layout import SampleLayout, describe_sample


def prepare_sample(
    folder: str | Path,
    events: int = truth.DEFAULT_EVENTS,
    seed: int = truth.DEFAULT_SEED,
) -> SampleLayout:
    """Make the built-in sample unless it is there already, and show how far it is.

    Parameters
    ----------
    folder : where samples are kept; each size and seed has its own folder in it
    events : number of events in all, at least 1000
    seed : of the random numbers

    Raises
    ------
    InputError
        Too few events to make a sample of.
    StorageError
        The folder cannot be written.
    """
    layout = describe_sample(folder, events, seed)
    if is_whole(layout):
        return layout
    with progress("making the built-in sample") as task:

        def show(done: int, total: int, name: str) -> None:
            task.set_total(total)
            task.note(name)
            task.advance(done - task.done)

        return ensure_sample(folder, events, seed, progress=show)
