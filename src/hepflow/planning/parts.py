"""Parts of a skim before they are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from hepflow.planning.looking import WouldRun
from hepflow.records import WorkItem
from hepflow.skimming import SkimSpec
from hepflow.skimming.counting import Columns
from hepflow.skimming.making import PartRecord, item_identity

# How a part without some of its events is called.
from hepflow.skimming.parts import LivePart, _identity_without
from hepflow.skimming.totals import item_metadata


@dataclass(frozen=True, slots=True)
class PlannedPart:
    """A part that is there or will be; what the keys of later stages need of it."""

    item: WorkItem
    identity: str
    common: Mapping[str, Any]  # shared by the parts of a dataset
    record: PartRecord | None = None  # where it is there
    repeated: int = 0  # events that are left out

    @property
    def metadata(self) -> dict[str, Any]:
        """What is known before events are read."""
        known = {**self.common, **item_metadata(self.item)}
        if self.repeated:
            known["part_repeated"] = self.repeated
        if self.record is None:
            return known
        counts = self.record.counts
        sums = {"part_sum_weights": counts.sum_weights, "part_sum_signs": counts.sum_signs}
        return {**known, **sums}

    @property
    def n_selected(self) -> int | None:
        """Events; None where that is known only after reading."""
        return None if self.record is None else self.record.n_selected

    def without(self, drop: Any) -> Self:
        """The same part without some of its events."""
        identity = _identity_without(self.identity, drop)
        return replace(self, identity=identity, repeated=len(drop))

    def whole(self, spec: SkimSpec) -> Self:
        """The same part with all of its events."""
        key = spec.key(spec.datasets[self.item.dataset])
        return replace(self, identity=item_identity(self.item, key), repeated=0)

    def live(self, spec: SkimSpec) -> LivePart:
        """The same events, read from the input each time."""
        own = spec.only(self.item.dataset)
        return LivePart(own, self.item, self.metadata, self.identity)

    def load(self) -> Any:
        """Refuse, as nothing is read before a run."""
        raise WouldRun(f"{self.item.dataset}: events are not read to find out.")

    def read(self, columns: Sequence[str] | None = None) -> Any:  # noqa: ARG002 - as of all parts
        """Refuse, as nothing is read before a run."""
        return self.load()

    def form(self) -> Any:
        """Refuse, as nothing is read before a run."""
        return self.load()

    def numbered(self, use: Columns = ()) -> Any:  # noqa: ARG002 - as of all parts
        """Refuse, as nothing is read before a run."""
        return self.load()
