"""Scales and PDFs of Les Houches event files as nuisance parameters.

Weights of other scales and PDFs are those of the point at which the events were generated; the
ratio to the nominal weight is what is kept, and multiplies the weight of the reference benchmark
(as in MadMiner).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from hepflow.errors import InputError, did_you_mean
from hepflow.inference.lhe import LheEvents, WeightInfo
from hepflow.inference.nuisances import reference_index, with_nuisances
from hepflow.inference.records import EventTable, Floats, Nuisance, NuisanceGroup

# Renormalisation and factorisation scale of the upward and the downward variation
SCALES: Mapping[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "mu": ((2.0, 2.0), (0.5, 0.5)),
    "mur": ((2.0, 1.0), (0.5, 1.0)),
    "muf": ((1.0, 2.0), (1.0, 0.5)),
}
# Kinds of sets whose members are draws of a distribution, as generators name them
_REPLICAS = {"replicas", "gaussian"}
_FIXED = {"ID", "MUR", "MUF", "PDF"}  # a weight with more (DYN_SCALE) varies something else too
_FACTOR = re.compile(r"\b(mu[rf])\s*=\s*([-+.\deE]+)", re.IGNORECASE)


def scale_weights(events: LheEvents) -> dict[tuple[float, float], str]:
    """Names of the weights by factors of renormalisation and factorisation scale."""
    central = _central_pdf(events)
    found: dict[tuple[float, float], str] = {}
    for info in events.weight_infos:
        scales = _scales(info)
        same_pdf = info.attributes.get("PDF", central) == central
        if scales and same_pdf and set(info.attributes) <= _FIXED:
            found.setdefault(scales, info.id)
    return found


def _central_pdf(events: LheEvents) -> str:
    # Scale variations are made with the PDF of the events: that of a weight with other scales.
    for info in events.weight_infos:
        if _scales(info) not in {None, (1.0, 1.0)} and "PDF" in info.attributes:
            return info.attributes["PDF"]
    return ""


def _scales(info: WeightInfo) -> tuple[float, float] | None:
    words = {key.upper(): value for key, value in _FACTOR.findall(info.text)}
    words |= {key: info.attributes[key] for key in ("MUR", "MUF") if key in info.attributes}
    if not words:
        return None
    try:
        return float(words.get("MUR", "1")), float(words.get("MUF", "1"))
    except ValueError:
        return None  # not factors: another convention, which is not taken for one


def add_scales(table: EventTable, events: LheEvents, names: Sequence[str]) -> EventTable:
    """The table with nuisance parameters of the scales.

    Parameters
    ----------
    table : EventTable
        Of `events`, in their order.
    events : LheEvents
    names : sequence of str
        Of `SCALES`: ``mur`` and ``muf`` apart, or ``mu``, both together. One standard deviation
        is a factor of two.

    Raises
    ------
    InputError
        The file does not have the weights, or another number of events.
    """
    known = scale_weights(events)
    nuisances, weights = [], {}
    for name in names:
        if name not in SCALES:
            raise InputError(f"there is no scale {name!r}; expected some of {', '.join(SCALES)}.")
        missing = [pair for pair in SCALES[name] if pair not in known]
        if missing:
            raise InputError(
                f"the events have no weight at {missing[0][0]:g} times the renormalisation and "
                f"{missing[0][1]:g} times the factorisation scale, which {name!r} needs; "
                "generate them with systematics, or leave this nuisance parameter out."
            )
        for pair, suffix in zip(SCALES[name], ("up", "down"), strict=True):
            ratio = _ratio(events, events.column(known[pair]))
            weights[f"{name}_{suffix}"] = _at_reference(table, ratio)
        nuisances.append(Nuisance(name, f"{name}_up", f"{name}_down", "scale"))
    return with_nuisances(table, nuisances, weights)


def add_variations(
    table: EventTable, events: LheEvents, nuisances: Sequence[Nuisance]
) -> EventTable:
    """The table with nuisance parameters whose weights stand in the file under their names.

    Parameters
    ----------
    table : EventTable
        Of `events`, in their order.
    events : LheEvents
        From whatever benchmark: what counts is the ratio to their nominal weights.
    nuisances : sequence of Nuisance
        `up` and `down` are names of weights in the file.

    Raises
    ------
    InputError
        The file has no weight of a name, or another number of events.
    """
    known = [info.id for info in events.weight_infos]
    names = [name for one in nuisances for name in (one.up, one.down) if name]
    for name in names:
        if name not in known:
            raise InputError(f"the events have no weight {name!r}. {did_you_mean(name, known)}")
    weights = {
        name: _at_reference(table, _ratio(events, events.column(name)))
        for name in dict.fromkeys(names)
    }
    return with_nuisances(table, nuisances, weights)


def add_group(table: EventTable, events: LheEvents, group: NuisanceGroup) -> EventTable:
    """The table with the nuisance parameters of a group of weights, under the group's name.

    Parameters
    ----------
    table : EventTable
        Of `events`, in their order.
    events : LheEvents
    group : NuisanceGroup
        Scales as in `add_scales`, PDFs as in `add_pdfs`.

    Raises
    ------
    InputError
        The file does not have the weights, or a name is taken.
    """
    bare = replace(table, nuisances=(), nuisance_weights={})
    scale = group.kind == "scale"
    made = add_scales(bare, events, [group.group]) if scale else add_pdfs(bare, events, group.group)
    nuisances: list[Nuisance] = []
    weights: dict[str, Floats] = {}
    for one in made.nuisances:
        name = group.name + one.name.removeprefix(group.group if scale else "pdf")
        up, down = f"{name}_up", f"{name}_down" if one.down else ""
        nuisances.append(Nuisance(name, up, down, one.kind))
        weights |= {up: made.nuisance_weights[one.up]}
        weights |= {down: made.nuisance_weights[one.down]} if down else {}
    return with_nuisances(table, nuisances, weights)


def has_replicas(events: LheEvents, group: str) -> bool:
    """Whether the weights of a group are those of replicas."""
    combined = [info.combine for info in events.weight_infos if info.group == group]
    return any(one.lower().split("+")[0] in _REPLICAS for one in combined)


def pdf_groups(events: LheEvents) -> dict[str, list[str]]:
    """Weights of the PDF sets by name of the group; the central member first."""
    groups: dict[str, list[tuple[int, str]]] = {}
    for info in events.weight_infos:
        if info.group and _scales(info) in {None, (1.0, 1.0)} and info.combine != "envelope":
            number = info.attributes.get("PDF", "")
            if number.isdigit():
                groups.setdefault(info.group, []).append((int(number), info.id))
    return {name: [one for _, one in sorted(members)] for name, members in groups.items()}


def add_pdfs(
    table: EventTable,
    events: LheEvents,
    group: str,
    *,
    explained: float = 0.95,
    confidence_factor: float = 1.0,
) -> EventTable:
    """The table with nuisance parameters of a set of PDFs.

    Members of a Hessian set are nuisance parameters of their own, one for each eigenvector:
    pairs of members where the file says ``hessian``, single ones (mirrored) for ``symmhessian``.
    Replicas are turned into eigenvectors first: the largest principal components of their
    relative deviations from the mean, weighted as the events are, as in the conversion of
    replicas to Hessian sets (arXiv:1505.06736). Where the file says ``+as`` behind that, as for
    the sets of PDF4LHC, the last two members are those of alpha_s at plus and minus one standard
    deviation, and make a nuisance parameter of their own.

    Parameters
    ----------
    table : EventTable
        Of `events`, in their order.
    events : LheEvents
    group : str
        Of `pdf_groups`.
    explained : float
        Part of the variance of replicas that the kept components explain.
    confidence_factor : float
        Members of Hessian sets are at this many standard deviations (1.645 for sets at 90 %).

    Raises
    ------
    InputError
        No such group, not the number of members that its kind needs, or a kind of set that is
        not known.
    """
    if not confidence_factor > 0:
        raise InputError(
            f"the members of a set of PDFs cannot be at {confidence_factor} standard deviations; "
            "expected a positive number, such as 1.645 for sets at 90 %."
        )
    members = pdf_groups(events).get(group)
    if not members or len(members) < 3:  # noqa: PLR2004  (a central one and two others)
        found = ", ".join(pdf_groups(events)) or "none"
        raise InputError(
            f"the events have no weights of PDF members in a group {group!r} (groups: {found})."
        )
    combine = next(info.combine for info in events.weight_infos if info.group == group)
    central = events.column(members[0])
    others = np.stack([events.column(name) for name in members[1:]], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(central[:, None] != 0, others / central[:, None], 1.0)
    kind, *beside = combine.lower().split("+")
    n_own = ratios.shape[1] - 2 * len(beside)
    own, rest = ratios[:, :n_own], ratios[:, n_own:]
    if kind in _REPLICAS:
        parts = principal_parts(own - 1, table.weights[:, reference_index(table)], explained)
        sides = [(part,) for part in np.exp(parts).T]
    elif kind == "symmhessian" or (kind == "hessian" and n_own % 2 == 0):
        shrunk = np.sign(own) * np.abs(own) ** (1 / confidence_factor)
        step = 2 if kind == "hessian" else 1
        sides = [tuple(shrunk.T[i : i + step]) for i in range(0, n_own, step)]
    else:
        raise InputError(
            f"the {len(members)} PDF members of group {group!r} are to be combined by {combine!r}; "
            "expected replicas, symmhessian, or a central one and pairs for hessian, with '+as' "
            "behind where the last two are of alpha_s."
        )
    named = [(f"pdf_{index}", side) for index, side in enumerate(sides)]
    named += [(f"pdf_{name}", tuple(rest.T[2 * i : 2 * i + 2])) for i, name in enumerate(beside)]
    return _with_pdfs(table, named)


def _with_pdfs(table: EventTable, named: Sequence[tuple[str, tuple[Floats, ...]]]) -> EventTable:
    """The table with factors at plus, and where there is one at minus one standard deviation."""
    nuisances = []
    weights: dict[str, Floats] = {}
    for name, sides in named:
        own = [f"{name}_{suffix}" for suffix, _ in zip(("up", "down"), sides, strict=False)]
        weights |= {one: _at_reference(table, ratio) for one, ratio in zip(own, sides, strict=True)}
        nuisances.append(Nuisance(name, own[0], "".join(own[1:]), "pdf"))
    return with_nuisances(table, nuisances, weights)


def principal_parts(deviations: Floats, weights: Floats, explained: float) -> Floats:
    """Uncorrelated deviations that reproduce the covariance of replicas.

    Parameters
    ----------
    deviations : ndarray, shape (n_events, n_replicas)
        Relative.
    weights : ndarray, shape (n_events,)
    explained : float
        Part of the variance that is to be kept.

    Returns
    -------
    ndarray, shape (n_events, n_parts)
        At one standard deviation each, by decreasing size; the sum of their squares is the
        variance of the replicas.
    """
    n_replicas = deviations.shape[1]
    centred = (deviations - deviations.mean(axis=1, keepdims=True)) / np.sqrt(n_replicas - 1)
    gram = (centred * np.abs(weights)[:, None]).T @ centred
    size, vectors = np.linalg.eigh(gram)
    size, vectors = np.maximum(size[::-1], 0.0), vectors[:, ::-1]
    if not size.sum() > 0:
        return np.zeros((len(deviations), 0))
    n_kept = int(np.searchsorted(np.cumsum(size) / size.sum(), explained - 1e-12)) + 1
    parts: Floats = centred @ vectors[:, :n_kept]
    return parts


def _ratio(events: LheEvents, varied: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: Floats = np.where(events.nominal != 0, varied / events.nominal, 1.0)
    return ratio


def _at_reference(table: EventTable, ratio: Floats) -> Floats:
    nominal = table.weights[:, reference_index(table)]
    if len(ratio) != len(nominal):
        raise InputError(
            f"the table has {len(nominal)} events and the Les Houches event file {len(ratio)}; "
            "add the variations before events are cut."
        )
    varied: Floats = nominal * ratio
    return varied
