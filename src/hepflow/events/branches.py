"""Names of branches: how objects and fields make them, and what a file calls them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

Branches = Mapping[str, Sequence[str]]  # object -> branches; "event" holds those without an object
BranchMap = Mapping[str, str]  # wanted name -> name in the file, of a branch or of an object
EVENT = "event"
BLOCK_ID = ("run", "luminosityBlock")  # together they name a luminosity block of data
EVENT_ID = (*BLOCK_ID, "event")  # together they name an event
# jetIdx, electronIdx3SJ, muonIdxG, genPartIdxMother
_INDEX_COLUMN = re.compile(r"^(?P<stem>[A-Za-z0-9]+?)Idx(Mother)?[A-Z0-9]*$")
_SPECIAL_COLLECTIONS = {"sv": "SV", "genJetAK8": "GenJetAK8", "fatJet": "FatJet"}


def branch_name(collection: str, field: str) -> str:
    """Name in the file: ``Muon_pt``, or the field alone for ``event``."""
    return field if collection == EVENT else f"{collection}_{field}"


def names_of(branches: Branches) -> list[str]:
    """Names in the file, of all branches."""
    return [branch_name(group, name) for group, fields in branches.items() for name in fields]


def merge_branches(*plans: Branches) -> dict[str, tuple[str, ...]]:
    """Union of several sets of branches, in order of appearance."""
    merged: dict[str, dict[str, None]] = {}
    for plan in plans:
        for collection, fields in plan.items():
            merged.setdefault(collection, {}).update(dict.fromkeys(fields))
    return {collection: tuple(fields) for collection, fields in merged.items()}


def branches_of(use: Iterable[tuple[str, str | None]], available: Branches) -> Branches:
    """Branches that columns need: one, or all that are configured for the object."""
    needed: dict[str, tuple[str, ...]] = {}
    for collection, field in use:
        fields = tuple(available.get(collection, ())) if field is None else (field,)
        needed = merge_branches(needed, {collection: fields})
    return needed


def name_in_file(name: str, branch_map: BranchMap) -> str:
    """What a file calls a branch, given the names that differ.

    An entry for the branch itself wins over one for its object. Names of objects have no
    underscore: the object of ``Muon_pt`` and of its counter ``nMuon`` is ``Muon``.

    Examples
    --------
    >>> renamed = {"PuppiMET": "MET", "Muon": "lep", "Muon_pt": "lep_corrected_pt"}
    >>> [name_in_file(name, renamed) for name in ("PuppiMET_pt", "Muon_eta", "nMuon", "Muon_pt")]
    ['MET_pt', 'lep_eta', 'nlep', 'lep_corrected_pt']
    >>> name_in_file("Jet_pt", renamed)
    'Jet_pt'
    """
    if name in branch_map:
        return branch_map[name]
    collection, underscore, field = name.partition("_")
    if underscore and collection in branch_map:
        return f"{branch_map[collection]}_{field}"
    if name.startswith("n") and name[1:] in branch_map:
        return f"n{branch_map[name[1:]]}"
    return name


def wanted_names(in_file: Iterable[str], branch_map: BranchMap) -> frozenset[str]:
    """Names under which the branches of a file are there, given the names that differ."""
    names = frozenset(in_file)
    candidates = {*names, *branch_map}
    for wanted, theirs in branch_map.items():
        start, counter = f"{theirs}_", f"n{theirs}"
        candidates |= {f"{wanted}_{one[len(start) :]}" for one in names if one.startswith(start)}
        candidates |= {f"n{wanted}"} if counter in names else set()
    return frozenset(one for one in candidates if name_in_file(one, branch_map) in names)


def index_target(field: str) -> str | None:
    """Collection that an index column such as ``jetIdx`` points to; None for other columns.

    Examples
    --------
    >>> index_target("jetIdx"), index_target("muonIdxG"), index_target("pt")
    ('Jet', 'Muon', None)
    """
    match = _INDEX_COLUMN.match(field)
    if not match:
        return None
    stem = match["stem"]
    return _SPECIAL_COLLECTIONS.get(stem, stem[:1].upper() + stem[1:])
