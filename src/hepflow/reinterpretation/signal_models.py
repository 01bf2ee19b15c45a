"""From the histograms of a signal to a workspace, as a patch of the background-only one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hepflow.errors import InputError, WorkspaceError
from hepflow.reinterpretation.signals import Signal

if TYPE_CHECKING:
    from hepflow.records import HistogramSet
    from hepflow.reinterpretation.bundle import PreservedAnalysis
    from hepflow.statistics.spec import StatisticsSpec

Operation = dict[str, Any]  # of a JSON patch (RFC 6902)
_ROUNDING: Final = 1e-9  # relative: numbers of the same model, made on another machine


@dataclass(frozen=True)
class PreservedModel:
    """What the model of a preserved analysis is made of."""

    histograms: HistogramSet  # as preserved, with the run's own signal
    spec: StatisticsSpec
    background: Mapping[str, Any]  # workspace without the signal
    signals: tuple[str, ...]  # processes that the parameter of interest multiplies
    expected_only: bool  # observations are Asimov data

    @classmethod
    def of(cls, analysis: PreservedAnalysis) -> PreservedModel:
        """Take the model from a bundle, and make sure that it can be made again.

        Parameters
        ----------
        analysis
            Inside its `imported`.

        Raises
        ------
        InputError
            The model is not made of the preserved histograms.
        WorkspaceError
            No likelihood exists, whatever the signal.
        """
        from hepflow.histograms import read_histograms
        from hepflow.statistics import StatisticsSpec
        from hepflow.statistics.source import read_workspace

        spec = StatisticsSpec.from_config(analysis.config)
        if spec.cabinetry_config is not None:
            raise InputError(
                f"{analysis.bundle.path}: its model comes from a cabinetry file of its own, which "
                "takes its templates from files: there is nothing that a new signal could be put "
                "into. Make a patch for model/background.json, and give that with --patch."
            )
        manifest = analysis.bundle.manifest
        background = read_workspace(analysis.background)
        check_background(background)
        stored = read_histograms(analysis.folder / "histograms" / "histograms.zip")
        model = cls(stored, spec, background, manifest.signals, manifest.expected_only)
        model.require_same(analysis.workspace)
        return model

    def require_same(self, workspace: Mapping[str, Any]) -> None:
        """Refuse to go on where the own signal does not give back the preserved workspace."""
        again = self._workspace(self.histograms)
        if not _alike(again, workspace):
            raise InputError(
                "the preserved histograms do not give the preserved workspace again: it was made "
                "with another model (an edited cabinetry configuration), or with an hepflow that "
                "builds models in another way. Use the versions of environment/requirements.lock."
            )

    def with_signal(self, signal: Signal, histograms: HistogramSet) -> SignalModel:
        """Workspace with a new signal in the place of the preserved one.

        Parameters
        ----------
        signal
            What it is.
        histograms
            Its expected events, normalised.

        Raises
        ------
        InputError
            A histogram of the fit is missing, has other bins, or the signal is empty there.
        WorkspaceError
            No likelihood exists with it.
        """
        self._check(signal, histograms)
        kept = {
            key: block
            for key, block in self.histograms.blocks.items()
            if key[2] not in self.signals
        }
        together = replace(self.histograms, blocks={**kept, **histograms.blocks})
        try:
            workspace = self._workspace(together)
        except WorkspaceError as error:
            error.add_note(f"This is the model with signal {signal.name!r}.")
            raise
        operations = tuple(difference(self.background, workspace))
        return SignalModel(signal, workspace, operations, together)

    def _check(self, signal: Signal, histograms: HistogramSet) -> None:
        for channel in self.spec.channels:
            where = (channel.name, channel.observable)
            name = "/".join(where)
            if where not in histograms.axes:
                raise InputError(
                    f"signal {signal.name!r} has no histogram {name}, which the fit needs. Fill it "
                    "with the selection of the preserved analysis."
                )
            own, new = self.histograms.axes[where].edges, histograms.axes[where].edges
            if own != new:
                raise InputError(
                    f"signal {signal.name!r}: {name} has {_binning(new)}, but the preserved one "
                    f"has {_binning(own)}. Fill it with the preserved binning."
                )
        fitted = {(one.name, one.observable) for one in self.spec.channels}
        events = [
            float(block.template().values.sum())
            for key, block in histograms.blocks.items()
            if key[:2] in fitted
        ]
        if not sum(events) > 0:
            raise InputError(
                f"signal {signal.name!r} has no event in the regions of the fit "
                f"({', '.join(one.name for one in self.spec.channels)}), or more negative weights "
                "than positive ones: no limit exists. Look at its files, or use more events."
            )

    def _workspace(self, histograms: HistogramSet) -> dict[str, Any]:
        from hepflow.statistics import build_workspace
        from hepflow.statistics.cabinetry_config import generate

        config = generate(histograms, self.spec, "histograms.root", "cabinetry")
        return build_workspace(histograms, self.spec, config, asimov=self.expected_only)


@dataclass(frozen=True)
class SignalModel:
    """A signal in the preserved model."""

    signal: Signal
    workspace: Mapping[str, Any]  # with the signal
    operations: tuple[Operation, ...]  # that make it from the background-only one
    histograms: HistogramSet | None = None  # preserved ones with the signal's; None: not known


def check_background(workspace: Mapping[str, Any]) -> None:
    """Refuse a workspace in which the data exclude that there is no signal.

    Raises
    ------
    WorkspaceError
        A bin without expected background in which events are observed, or a negative bin.
    """
    observed = {one["name"]: one["data"] for one in workspace["observations"]}
    for channel in workspace["channels"]:
        total = np.sum([one["data"] for one in channel["samples"]], axis=0)
        counts = observed.get(channel["name"], [0.0] * len(total))
        for index, (expected, count) in enumerate(zip(total, counts, strict=True)):
            if expected < 0 or (expected == 0 and count > 0):
                raise WorkspaceError(
                    f"the background of channel {channel['name']!r} expects {expected:g} events in "
                    f"bin {index}, where {count:g} are observed: without signal there is no "
                    "likelihood. Merge bins in the preserved analysis."
                )


def difference(background: Mapping[str, Any], workspace: Mapping[str, Any]) -> Iterator[Operation]:
    """Operations that make `workspace` of `background`.

    Samples of the signal are added where they stand. Whatever else differs is replaced: the
    statistics of the signal can decide which bins of a background are varied or pruned, and
    Asimov data hold the signal.

    Raises
    ------
    WorkspaceError
        The workspace has other channels, or lacks a background.
    """
    names = [[one["name"] for one in part["channels"]] for part in (background, workspace)]
    if names[0] != names[1]:
        raise WorkspaceError(
            f"the channels {names[1]} are not those of the background, {names[0]}."
        )
    pairs = zip(background["channels"], workspace["channels"], strict=True)
    for i, (before, after) in enumerate(pairs):
        known = {one["name"]: one for one in before["samples"]}
        there = {one["name"] for one in after["samples"]}
        if not known.keys() <= there:
            missing = sorted(known.keys() - there)
            raise WorkspaceError(f"channel {after['name']!r} lacks the background {missing[0]!r}.")
        for j, sample in enumerate(after["samples"]):
            path = f"/channels/{i}/samples/{j}"
            if sample["name"] not in known:
                yield {"op": "add", "path": path, "value": sample}
            elif not _alike(known[sample["name"]], sample):
                yield {"op": "replace", "path": path, "value": sample}
    for part in ("observations", "measurements"):
        if not _alike(background[part], workspace[part]):
            yield {"op": "replace", "path": f"/{part}", "value": workspace[part]}


def patch_set(
    models: Sequence[SignalModel], background: Mapping[str, Any], labels: Sequence[str], name: str
) -> dict[str, Any]:
    """Patch set of pyhf (version 1.0.0) with an entry for each signal.

    Parameters
    ----------
    models
        Of different names and points.
    background
        Workspace that they patch; the set names its digest.
    labels
        Parameters of the points; without any, a point is named by its signal.
    name
        Of the analysis, for people.
    """
    from hepflow.reinterpretation.bundle.signal import UNPUBLISHED
    from hepflow.statistics.patches import digest

    entries = [
        {
            "metadata": {
                "name": one.signal.name,
                "values": [one.signal.values[label] for label in labels] or [one.signal.name],
            },
            "patch": list(one.operations),
        }
        for one in models
    ]
    return {
        "metadata": {
            "name": name or "reinterpretation",
            "description": f"{name or 'analysis'}: {len(entries)} signals, reinterpreted",
            "labels": list(labels) or ["signal"],
            "digests": {"sha256": digest(background)},
            "references": {"hepdata": UNPUBLISHED},
        },
        "patches": entries,
        "version": "1.0.0",
    }


def _binning(edges: Sequence[float]) -> str:
    return f"{len(edges) - 1} bins from {edges[0]:g} to {edges[-1]:g}"


def _alike(one: Any, other: Any) -> bool:
    """Whether two JSON contents say the same, numbers to rounding."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_alike(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        pairs = zip(one, other, strict=False)
        return len(one) == len(other) and all(_alike(*pair) for pair in pairs)
    numbers = (int, float)
    if isinstance(one, numbers) and isinstance(other, numbers):
        return math.isclose(one, other, rel_tol=_ROUNDING, abs_tol=_ROUNDING)
    return bool(one == other)
