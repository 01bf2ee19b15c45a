"""A skim as its users see it: a lazy sequence of (events, metadata)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

from hepflow.records import Ledger, Loss
from hepflow.skimming.parts import AnyPart, Pair


class Skim(Sequence[Pair]):
    """Parts of one dataset; an element is read when it is asked for.

    Attributes
    ----------
    parts : tuple
        What stands for the events. None where the dataset is left out because of its losses.
    lost : tuple of Loss
        Files and entry ranges that could not be processed, here or before.
    files : Ledger
        What the metadata step knows about the files of the dataset, those that were lost or not
        asked for included.
    """

    def __init__(
        self,
        dataset: str,
        parts: Sequence[AnyPart],
        lost: Sequence[Loss] = (),
        files: Ledger | None = None,
    ) -> None:
        self.dataset = dataset
        self.parts = tuple(parts)
        self.lost = tuple(lost)
        self.files = Ledger() if files is None else files

    def __len__(self) -> int:
        return len(self.parts)

    @overload
    def __getitem__(self, index: int) -> Pair: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Pair]: ...
    def __getitem__(self, index: int | slice) -> Pair | Sequence[Pair]:
        if isinstance(index, slice):
            return Skim(self.dataset, self.parts[index], self.lost, self.files)
        return self.parts[index].load()

    def __iter__(self) -> Iterator[Pair]:
        for part in self.parts:
            yield part.load()

    @property
    def metadata(self) -> tuple[Mapping[str, Any], ...]:
        """Metadata of each part, without reading events."""
        return tuple(part.metadata for part in self.parts)

    def to_dask_awkward(self) -> Any:
        """Return the events as a dask-awkward collection, a partition for each part.

        Only columns that are used are read, where the parts are ROOT or Parquet files. The
        metadata of the parts, in the order of the partitions, is ``skim.metadata`` and
        ``collection.attrs["metadata"]``.

        Returns
        -------
        dask_awkward.Array

        Raises
        ------
        InputError
            If there is no part, or (when it is computed) a part has other columns than the first.
        """
        # Here, because it takes a second to import dask-awkward.
        from hepflow.skimming.lazy import to_dask_awkward

        return to_dask_awkward(self.dataset, self.parts)

    def __repr__(self) -> str:
        known = [part.n_selected for part in self.parts]
        numbers = [one for one in known if one is not None]
        if len(numbers) < len(known):
            return f"<Skim {self.dataset}: {len(self)} parts, read live from the input files>"
        return f"<Skim {self.dataset}: {len(self)} parts, {sum(numbers):,} events>"
