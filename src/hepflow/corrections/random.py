"""Random numbers that belong to an object, whatever chunk, order or variation it is seen in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import MissingBranch
from hepflow.events import EVENT_ID
from hepflow.functors import column
from hepflow.schema import Correction

RANDOM = "random_normal"  # column that any object has for corrections and sources
INDEX = "file_index"  # position of an object in the file, kept through sorting and masking

Floats = NDArray[np.float64]
Words = NDArray[np.uint64]


def wants_random(use: Iterable[Any]) -> set[str]:
    """Collections of which a list of columns wants random numbers."""
    return {one[0] for one in use if isinstance(one, tuple) and one[1] == RANDOM}


def random_of(correction: Correction) -> set[str]:
    """Collections whose random numbers a correction wants; a smearing those of its target."""
    smeared = {correction.target[0]} if correction.smearing and correction.target else set()
    return wants_random(correction.args or correction.use) | smeared


def with_file_index(events: Any, collections: Iterable[str]) -> Any:
    """Remember where each object stands in the file, before anything reorders it."""
    import awkward as ak

    for name in sorted(collections):
        objects = column(events, name, None, f"{name}.{RANDOM}")
        if name != "event" and objects.ndim > 1 and INDEX not in objects.fields:
            index = ak.local_index(objects, axis=1)
            events = ak.with_field(events, ak.with_field(objects, index, INDEX), name)
    return events


def inputs_of(
    events: Any, use: Iterable[tuple[str, str | None]], name: str, where: str
) -> list[Any]:
    """Columns of the events, random numbers of the correction `name` included."""
    return [
        random_normal(events, collection, name, where)
        if field == RANDOM
        else column(events, collection, field, where)
        for collection, field in use
    ]


def random_normal(events: Any, collection: str, name: str, where: str) -> Any:
    """Standard normal numbers, one for each object (or event).

    The number follows from run, luminosity block, event, the object's index in the file and the
    name of the correction, so nominal, up and down share it.

    Parameters
    ----------
    events
        With the branches run, luminosityBlock and event.
    collection
        Object, or ``event`` for one number an event.
    name
        Of the correction: another one gets other numbers.

    Raises
    ------
    MissingBranch
        If the events cannot be told from each other.
    """
    import awkward as ak

    missing = [one for one in EVENT_ID if one not in events.fields]
    if missing:
        raise MissingBranch(
            f"{where}: {collection}.{RANDOM} needs the branches run, luminosityBlock and event. "
            f"Add {', '.join(missing)} to `event` of preprocess.branches."
        )
    runs, blocks, numbers = (np.asarray(ak.to_numpy(events[one])) for one in EVENT_ID)
    seeds = seeds_of(runs, blocks, numbers, name)
    if collection == "event" or column(events, collection, None, where).ndim == 1:
        return normal_numbers(seeds, np.zeros(len(seeds), dtype=np.uint64))
    index = column(events, collection, INDEX, where)
    counts = np.asarray(ak.num(index, axis=1))
    flat = np.asarray(ak.to_numpy(ak.flatten(index, axis=1)), dtype=np.uint64)
    return ak.unflatten(normal_numbers(np.repeat(seeds, counts), flat), counts)


def seeds_of(runs: Any, blocks: Any, events: Any, name: str) -> Words:
    """One seed for each event, shape (n_events,)."""
    digest = hashlib.sha256(name.encode()).digest()
    seed = np.full(len(runs), int.from_bytes(digest[:8], "big"), dtype=np.uint64)
    for number in (runs, blocks, events):
        seed = _mixed(seed ^ _mixed(np.asarray(number).astype(np.uint64)))
    return seed


def normal_numbers(seeds: Words, index: Words) -> Floats:
    """Standard normal numbers by the transform of Box and Muller, shape of `seeds`.

    Notes
    -----
    The mixing function is SplitMix64: G. Steele, D. Lea, C. Flood, OOPSLA 2014.
    """
    words = _mixed(seeds ^ _mixed(index + np.uint64(1)))
    first, second = _uniform(words), _uniform(_mixed(words))
    return np.asarray(np.sqrt(-2.0 * np.log(first)) * np.cos(2.0 * np.pi * second))


def _uniform(words: Words) -> Floats:
    """Numbers above 0 and up to 1 from the upper 53 bits."""
    return np.asarray((np.right_shift(words, np.uint64(11)) + 1.0) * 2.0**-53, dtype=np.float64)


def _mixed(words: Words) -> Words:
    """Scramble 64-bit words; wraps around on purpose."""
    words = words + np.uint64(0x9E3779B97F4A7C15)
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
