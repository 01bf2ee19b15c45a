"""Checks of backgrounds that are estimated from data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hepflow.errors import Problem, did_you_mean
from hepflow.schema.checks_datasets import data_processes, processes_of
from hepflow.schema.fields import parse_binning
from hepflow.schema.tree import Problems, Tree, by_year, entries, no_effect, section, texts

Entry = Mapping[str, Any]
Channels = Mapping[str, Entry]


def transfer_name(one: Entry) -> str | None:
    """Nuisance parameter of an estimate's transfer factor; None where it is binned."""
    transfer = section(one, "transfer")
    if transfer.get("binned") is True:
        return None
    return str(transfer.get("name") or f"{one.get('process')}_transfer")


def estimated_processes(tree: Tree) -> set[str]:
    """Names of the processes that are estimated from data."""
    return {str(one.get("process")) for _, one in entries(tree, "estimates")}


def sidebands(one: Entry) -> list[tuple[str, str]]:
    """Field and name of the channels that an estimate is made from."""
    transfer = section(one, "transfer")
    found = [
        ("from_channel", one.get("from_channel")),
        ("transfer.numerator", transfer.get("numerator")),
        ("transfer.denominator", transfer.get("denominator")),
    ]
    return [(field, name) for field, name in found if isinstance(name, str)]


def estimates_sensible(tree: Tree) -> Problems:
    """An estimate makes a process of its own, out of data of channels outside of the fit."""
    rows = entries(tree, "estimates")
    if rows and not data_processes(tree):
        yield Problem("estimates", "there is no dataset of data to estimate from.", "Add one.")
    channels = {str(one.get("name")): one for _, one in entries(tree, "channels")}
    first: dict[tuple[str, str], int] = {}
    for i, one in rows:
        where = f"estimates[{i}]"
        process, channel = str(one.get("process")), str(one.get("channel"))
        if process in processes_of(tree):
            message = f"{process!r} is the process of a dataset."
            yield Problem(f"{where}.process", message, "Give the estimate another name.")
        if (process, channel) in first:
            message = (
                f"{process!r} is estimated there already by estimates[{first[process, channel]}]."
            )
            yield Problem(f"{where}.channel", message)
        first.setdefault((process, channel), i)
        yield from _regions(one, where, channels)
        yield from _observables(one, where, channels)
        yield from _subtracted(one, where, tree)
    yield from _shared(rows)


def _regions(one: Entry, where: str, channels: Channels) -> Problems:
    """Four different channels, of which those that it is made from do not enter the fit."""
    first: dict[str, str] = {}
    for field, name in [("channel", str(one.get("channel"))), *sidebands(one)]:
        path = f"{where}.{field}"
        if channels and name not in channels:
            yield Problem(path, f"there is no channel {name!r}.", did_you_mean(name, channels))
        elif name in first:
            message = f"{name!r} is {first[name]} already."
            yield Problem(path, message, "An estimate needs four different channels.")
        elif field != "channel" and channels.get(name, {}).get("kind", "signal") != "validation":
            message = f"the data of {name!r} would enter the fit a second time."
            yield Problem(path, message, "Set kind: validation in this channel.")
        first.setdefault(name, field)


def _observables(one: Entry, where: str, channels: Channels) -> Problems:
    """What is estimated is there, in the same bins, where it is estimated from."""
    transfer = section(one, "transfer")
    path, binned = f"{where}.transfer", transfer.get("binned") is True
    wanted = _bins(channels.get(str(one.get("channel")), {}))
    others = [pair for pair in sidebands(one) if pair[1] in channels]
    for field, name in others:
        if field == "from_channel" or binned:
            there = _bins(channels[name])
            for observable, bins in wanted.items():
                if there.get(observable) != bins:
                    what = "has other bins there" if observable in there else "is not there"
                    message = f"{observable!r} of {one.get('channel')} {what}."
                    hint = "Give both channels the same observables."
                    yield Problem(f"{where}.{field}", message, hint)
                    break
    if binned:
        unused = {"observable": None, "name": None}
        yield from no_effect(transfer, path, unused, "where the factor is binned")
        return
    top = channels.get(str(transfer.get("numerator")), {})
    counted = transfer.get("observable") or top.get("fit_observable")
    for field, name in others:
        there = _bins(channels[name])
        if field != "from_channel" and isinstance(counted, str) and there and counted not in there:
            message = f"{name!r} has no observable {counted!r}, which counts its events."
            yield Problem(f"{where}.{field}", message, did_you_mean(counted, there))


def _bins(channel: Entry) -> dict[str, Any]:
    """Edges of the observables of a channel, as they are written where they are malformed."""
    found: dict[str, Any] = {}
    for _, one in entries(channel, "observables"):
        try:
            edges = parse_binning(one.get("binning"))
        except ValueError:
            edges = one.get("binning")
        found[str(one.get("name"))] = list(edges) if isinstance(edges, tuple) else edges
    return found


def _subtracted(one: Entry, where: str, tree: Tree) -> Problems:
    known, data = processes_of(tree), data_processes(tree)
    for j, name in texts(one.get("subtract")):
        path = f"{where}.subtract[{j}]"
        if name in data:
            yield Problem(path, f"{name!r} is collision data; simulation is subtracted from it.")
        elif known and name not in known:
            hint = did_you_mean(name, known - data)
            yield Problem(path, f"there is no simulated process {name!r}.", hint)


def _shared(rows: list[tuple[int, Entry]]) -> Problems:
    """Estimates with one nuisance parameter have one factor; a binned factor is of one."""
    first: dict[str, tuple[int, Any]] = {}
    sides: dict[Any, tuple[int, bool]] = {}
    for i, one in rows:
        name, transfer = transfer_name(one), section(one, "transfer")
        pair = (transfer.get("numerator"), transfer.get("denominator"))
        other, binned = sides.setdefault(pair, (i, name is None))
        if other != i and (binned or name is None):
            message = f"estimates[{other}] has the same sidebands, and one of both is bin by bin."
            hint = "Their uncertainties would pass for independent: use one number for both."
            yield Problem(f"estimates[{i}].transfer.binned", message, hint)
        if name is None:
            continue
        factor = (one.get("process"), *pair, transfer.get("observable"), one.get("subtract"))
        where, known = first.setdefault(name, (i, factor))
        if factor != known:
            message = f"the factor {name!r} of estimates[{where}] is another one."
            hint = "Use the same process, sidebands and subtraction, or give it a name of its own."
            yield Problem(f"estimates[{i}].transfer.name", message, hint)


def estimates_usable(tree: Tree) -> Problems:
    """What an estimate is made from is processed, and not blind."""
    general = section(tree, "general")
    rows = [(f"estimates[{i}]", one) for i, one in entries(tree, "estimates")]
    chosen = [name for _, name in texts(general.get("channels"))]
    wanted = [name for _, name in texts(general.get("processes"))]
    blind = set(_blind_channels(tree))
    for where, one in rows:
        yield from (
            Problem(f"{where}.{field}", f"{name!r} is blind (general.blind).", _LOOK)
            for field, name in sidebands(one)
            if name in blind
        )
        if chosen and one.get("channel") in chosen:
            missing = [name for _, name in sidebands(one) if name not in chosen]
            if missing:
                message = f"{where} needs {', '.join(map(repr, missing))}, too."
                yield Problem("general.channels", message, "Add them, or leave the estimate out.")
        if wanted and one.get("process") in wanted:
            needed = data_processes(tree) | _taken(one, tree)
            missing = sorted(needed - set(wanted))
            if missing:
                message = f"{where} needs {', '.join(map(repr, missing))}, too."
                yield Problem("general.processes", message, "Add them, or leave the estimate out.")


def _taken(one: Entry, tree: Tree) -> set[str]:
    """Processes that are subtracted: by default all simulated ones but the signal."""
    if one.get("subtract") is not None:
        return {name for _, name in texts(one.get("subtract"))}
    statistics = section(tree, "statistics")
    factors = [factor for _, factor in entries(statistics, "norm_factors")]
    poi = statistics.get("poi") or next((factor.get("name") for factor in factors), None)
    signal = {
        name
        for factor in factors
        if factor.get("name") == poi
        for _, name in texts(factor.get("processes"))
    }
    return processes_of(tree) - data_processes(tree) - signal


_LOOK = "An estimate looks at the data of its sidebands."


def _blind_channels(tree: Tree) -> Iterator[str]:
    """Channels whose data are unseen, if only in a range."""
    blind = section(tree, "general").get("blind")
    if blind is True:
        for _, channel in entries(tree, "channels"):
            if channel.get("kind", "signal") == "signal":
                yield str(channel.get("name"))
    for one in blind if isinstance(blind, (list, tuple)) else ():
        name = one.get("channel") if isinstance(one, Mapping) else one
        if isinstance(name, str):
            yield name


def sources_of_estimates(tree: Tree) -> Problems:
    """A size of an estimate is a source of its own, and the same in all years."""
    made = estimated_processes(tree)
    first: dict[str, tuple[str, Any]] = {}
    for path, _, one in by_year(tree, "systematics"):
        listed = texts(one.get("processes"))
        mine = [(j, name) for j, name in listed if name in made]
        if not mine:
            continue
        where = f"{path}.processes[{mine[0][0]}]"
        if one.get("type") != "normalisation":
            message = f"{mine[0][1]!r} is estimated from data: only a size can act on it."
            yield Problem(where, message, "It follows the sources of what is subtracted.")
            continue
        if len(mine) < len(listed):
            message = f"{mine[0][1]!r} is estimated from data, the others are simulated."
            yield Problem(where, message, "Declare a source of its own.")
        if one.get("correlation", "correlated") == "uncorrelated":
            message = f"{mine[0][1]!r} is estimated from all years together."
            yield Problem(f"{path}.correlation", message, "Leave it out.")
        place, other = first.setdefault(str(one.get("name")), (path, one))
        for field in ("size", "size_down"):
            if one.get(field) != other.get(field):
                message = f"differs from {place}.{field}, but the estimate is of all years."
                yield Problem(f"{path}.{field}", message, "Give one size.")
