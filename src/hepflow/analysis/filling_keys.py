"""What raw histograms depend on, as keys: what is named there is named when it has changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hepflow.analysis.spec import AnalysisSpec
from hepflow.keys import AsRead, Key, make_key
from hepflow.schema import Channel
from hepflow.skimming import AnyPart
from hepflow.storage import sha256_bytes

if TYPE_CHECKING:
    from hepflow.analysis.base import Analysis

STAGE = "histograms"
_ACTS_LATER = {"symmetrise", "combine", "keep_yield", "smooth", "group"}  # of a source
_OF_THE_FIT: dict[str, Any] = {
    "smooth": True,
    "group": True,
    "uncertainty_sources": {"__all__": {"smooth", "group"}},
}


def common_parts(spec: AnalysisSpec) -> dict[str, Any]:
    """What of a specification changes the raw histograms of all channels, named for messages.

    Labels, cross-sections, luminosity and normalisation sources do not: they act later.
    """
    parts: dict[str, Any] = {
        f"object mask {i} ({one.object})": (one.object, one.function, one.use)
        for i, one in enumerate(spec.masks)
    }
    for i, ghost in enumerate(spec.ghosts):
        content = (ghost.names, ghost.collections, ghost.function, ghost.use)
        parts[f"ghost observable {i} ({ghost.names[0]})"] = content
    for year, corrections in spec.corrections.items():
        for i, one in enumerate(corrections):
            parts[f"correction {_named(year, i, one.name)}"] = {
                **one.model_dump(exclude=_OF_THE_FIT),
                "file": spec.digests.get(one.file or ""),
            }
    for year, systematics in spec.systematics.items():
        filled = [
            one
            for one in systematics
            if one.type not in {"normalisation", "sample"} and not one.normalisation_only
        ]
        for i, source in enumerate(filled):
            own = source.model_dump(exclude=_ACTS_LATER)
            parts[f"systematic {_named(year, i, source.name)}"] = own
    parts["datasets"] = [
        (
            one.key,
            one.process,
            one.variation,
            one.is_data,
            one.year,
            one.weight_branch,
            _certified(spec, one.lumi_mask),
        )
        for one in spec.datasets.values()
    ]
    parts |= {f"keep of {key}": (one.function, one.use) for key, one in spec.keeps.items()}
    return parts | {
        "baseline selection": _selection(spec.baseline),
        "weight_mode": spec.weight_mode,
        "run_systematics": spec.run_systematics,
    }


def _named(year: str, position: int, name: str) -> str:
    """Part of a key: the order counts, as corrections act one after the other."""
    return f"{position} ({name}, {year})" if year else f"{position} ({name})"


def channel_parts(spec: AnalysisSpec, channel: Channel) -> dict[str, Any]:
    """What of a specification changes the raw histograms of one channel only."""
    return {
        f"channel {channel.name}": (
            channel.name,
            _selection(channel.selection),
            [(o.name, o.binning, o.function, o.use) for o in channel.observables],
            channel.cutflow_variations,
            [one for one in spec.blind if one.channel == channel.name],
            bool(spec.blind),  # of any channel: cutflows of data have no earlier steps then
            [one.name for one in spec.sources if not one.acts_in(channel.name)],
        )
    }


def _selection(selection: Any) -> Any:
    if selection is None:
        return None
    cuts = [(cut.name, cut.function, cut.use) for cut in selection.cuts]
    # Labels and thresholds change no histogram.
    without = [
        (o.cut, o.name, o.binning, o.function, o.use, o.variations) for o in selection.n_minus_1
    ]
    return (selection.function, selection.use, cuts, without)


def _certified(spec: AnalysisSpec, file: str | None) -> str | None:
    return spec.digests.get(file) if file else None


def prepared_key(analysis: Analysis) -> Key:
    """Key of events that are ready for the channels, whatever parts they are of."""
    spec = analysis.spec
    # Of data no event that fails a cut is kept while anything is blind.
    hidden = bool(spec.blind) and bool(spec.baseline and spec.baseline.n_minus_1)
    failing = (spec.varied_failing, hidden)
    return make_key("prepared", **_common(analysis), failing=failing)


def filling_keys(analysis: Analysis, parts: Sequence[AnyPart]) -> dict[str, Key]:
    """Key of the merged raw histograms of each channel."""
    identities = "\n".join(part.identity for part in parts)  # digests; there may be a million
    skim = sha256_bytes(identities.encode())
    common = make_key(STAGE, skim=skim, **_common(analysis))
    return {
        channel.name: Key(
            STAGE,
            {**common.parts, **make_key(STAGE, **channel_parts(analysis.spec, channel)).parts},
        )
        for channel in analysis.spec.channels
    }


def _common(analysis: Analysis) -> dict[str, Any]:
    """What all channels depend on: the steps with what they read, and the specification."""
    # What a subclass added to itself counts: its steps may read it, and loop over it.
    added = {name: value for name, value in analysis.__getstate__().items() if name != "spec"}
    state = {name: AsRead(value) for name, value in added.items()}
    return {"analysis": type(analysis), "attributes": state, **common_parts(analysis.spec)}


def joined_key(keys: Mapping[str, Key]) -> Key:
    """Key of the histograms of all channels, with the parts of each."""
    return Key(STAGE, {name: digest for key in keys.values() for name, digest in key.parts.items()})
