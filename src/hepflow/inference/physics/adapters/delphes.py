"""A user's own Delphes (arXiv:1307.6346): run on showered events, its trees read as particles."""

from __future__ import annotations

import gzip
import shutil
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hepflow.errors import ExecutionError, InputError, MissingBranch, MissingTree, UnreadableFile
from hepflow.inference.physics.adapters.programs import DELPHES, Program, find, run, tail
from hepflow.inference.physics.particles import FIELDS, Particles, by_pt, missing_momentum
from hepflow.inference.records import Floats, Ints

TREE = "Delphes"
# Our field -> leaf of the branch; what a branch does not have is 0
LEAVES = {
    "e": ("Electron", {"pt": "PT", "eta": "Eta", "phi": "Phi", "charge": "Charge"}),
    "mu": ("Muon", {"pt": "PT", "eta": "Eta", "phi": "Phi", "charge": "Charge"}),
    "a": ("Photon", {"pt": "PT", "eta": "Eta", "phi": "Phi"}),
    "j": ("Jet", {"pt": "PT", "eta": "Eta", "phi": "Phi", "mass": "Mass", "btag": "BTag"}),
}
MASSES = {"e": 0.000511, "mu": 0.10566}  # [GeV]; Delphes does not store them
HEAD = 1_000  # bytes in which the version stands
SAME = 1e-4  # relative; weights go through files of single precision


@dataclass(frozen=True)
class DelphesEvents:
    """What a tree of Delphes holds, in its order."""

    particles: Particles
    numbers: Ints  # of the events, as the generator counted them
    weights: Floats  # of the generator, shape (n_events,)


def simulate(executable: str | None, card: Path, events: Path, output: Path) -> Path:
    """Run Delphes.

    Parameters
    ----------
    executable : str, optional
        Such as ``/opt/delphes/DelphesHepMC2``. Default: the one on the search path that reads the
        version of the events (MadGraph's Pythia writes version 2).
    card : Path
        Of the detector (Tcl).
    events : Path
        HepMC file of version 2 or 3, zipped or not.
    output : Path
        ROOT file; one that is there is replaced. The log is beside it.

    Raises
    ------
    InputError
        Program, card or events are not there, or the program reads another version of HepMC.
    ExecutionError
        Delphes fails, or leaves no file.
    """
    for what, path in (("card", card), ("events", events)):
        if not path.is_file():
            raise InputError(f"Delphes: there is no file {path} for the {what}")
    program = find(_reader(events, executable), executable)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.unlink(missing_ok=True)  # Delphes refuses to write over a file
    log = output.with_suffix(".log")
    with tempfile.TemporaryDirectory(prefix="events-", dir=output.parent) as scratch:
        plain = _unzipped(events, Path(scratch))
        run(program, [str(path.resolve()) for path in (card, output, plain)], output.parent, log)
    if not output.is_file():
        raise ExecutionError(
            f"{program.name} ended without an error but left no {output}. Its log is {log}; it "
            f"ends with:\n{tail(log)}"
        )
    return output


def _reader(events: Path, executable: str | None) -> Program:
    """Which of the programs of Delphes reads the events: each reads one version of HepMC only."""
    zipped = events.suffix == ".gz"
    try:
        with gzip.open(events, "rb") if zipped else events.open("rb") as file:
            head = file.read(HEAD).decode("ascii", errors="replace")
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableFile(f"{events} cannot be read: {error}; make the events again.") from error
    wanted = next((program for first, program in DELPHES.items() if first in head), None)
    if wanted is None:
        raise InputError(
            f"{events} begins neither with {' nor with '.join(DELPHES)}: expected events in the "
            "text format of HepMC 2 or 3."
        )
    given = Path(executable or wanted.name).name
    if given != wanted.name and given in {program.name for program in DELPHES.values()}:
        raise InputError(
            f"{wanted.field} is {executable}, which does not read the version of HepMC of "
            f"{events}: expected {wanted.name} (beside it, as a rule)."
        )
    return wanted


def _unzipped(path: Path, folder: Path) -> Path:
    if path.suffix != ".gz":
        return path
    plain = folder / path.stem
    with gzip.open(path, "rb") as source, plain.open("wb") as target:
        shutil.copyfileobj(source, target)
    return plain


def read_trees(path: str | Path) -> DelphesEvents:
    """Read the objects of a file of Delphes.

    Raises
    ------
    UnreadableFile
        It is missing or no ROOT file.
    MissingTree, MissingBranch
        It is not of Delphes, or its card leaves out objects.
    """
    import uproot

    try:
        file = uproot.open(path)
    except (OSError, ValueError, uproot.exceptions.KeyInFileError) as error:
        raise UnreadableFile(f"{path} cannot be read as a ROOT file: {error}") from error
    with file:
        if TREE not in file:
            have = ", ".join(file.keys(cycle=False)) or "nothing"
            raise MissingTree(f"{path} has no tree {TREE!r} (it holds {have}): not of Delphes.")
        tree = file[TREE]
        made = {name: _objects(tree, name, path) for name in LEAVES}
        met = _columns(tree, "MissingET", {"pt": "MET", "phi": "Phi"}, path)
        event = _columns(tree, "Event", {"number": "Number", "weight": "Weight"}, path)
    pt, phi = (_first(met[name], path) for name in ("pt", "phi"))
    return DelphesEvents(
        Particles(**made, met=missing_momentum(pt * np.cos(phi), pt * np.sin(phi))),
        _first(event["number"], path).astype(np.int64),
        _first(event["weight"], path),
    )


def _columns(tree: Any, branch: str, leaves: dict[str, str], path: str | Path) -> dict[str, Any]:
    have = {name.rsplit("/", 1)[-1] for name in tree.keys()}  # noqa: SIM118  # not a mapping
    missing = [f"{branch}.{leaf}" for leaf in leaves.values() if f"{branch}.{leaf}" not in have]
    if missing:
        raise MissingBranch(
            f"{path}: the tree {TREE!r} has no {', '.join(missing)}. Add a TreeWriter branch "
            f"{branch!r} to the card of Delphes."
        )
    return {name: tree[f"{branch}.{leaf}"].array() for name, leaf in leaves.items()}


def _objects(tree: Any, name: str, path: str | Path) -> Any:
    import awkward as ak

    branch, leaves = LEAVES[name]
    columns = _columns(tree, branch, leaves, path)
    empty = ak.zeros_like(columns["pt"]) + MASSES.get(name, 0.0)
    made = {}
    for field in FIELDS:
        given = columns.get(field)
        default = empty if field == "mass" else ak.zeros_like(columns["pt"])
        made[field] = ak.values_astype(default if given is None else given, np.float64)
    if "btag" in columns:  # bits, one a working point; the first one counts
        made["btag"] = ak.values_astype(columns["btag"] & 1, np.float64)
    return by_pt(ak.zip(made))


def _first(column: Any, path: str | Path) -> Floats:
    """Return the one value of each event of a branch that is written as a list."""
    import awkward as ak

    if column.ndim > 1:
        if ak.any(ak.num(column) != 1):
            raise InputError(f"{path}: events with none or several values where Delphes has one.")
        column = column[:, 0]
    return np.asarray(column, dtype=float)


def check_order(found: DelphesEvents, nominal: Floats, where: str) -> None:
    """Compare number, order and weights of the events with those of the generator.

    Parameters
    ----------
    found : DelphesEvents
        From the tree.
    nominal : array, shape (n_events,)
        Nominal weights of the Les Houches events, in any normalisation.
    where : str
        The file, for messages.

    Raises
    ------
    InputError
        Events are missing or in another order: weights would go to other events.
    """
    n_events = len(found.numbers)
    if n_events != len(nominal):
        raise InputError(
            f"{where}: Delphes has {n_events} events and the Les Houches file {len(nominal)}. The "
            "weights of the one cannot be given to the other; run both on the same events, without "
            "a filter or a matching that drops some."
        )
    steps = np.diff(found.numbers)
    if (steps != 1).any():
        at = int(np.argmax(steps != 1))
        raise InputError(
            f"{where}: event {found.numbers[at + 1]} follows event {found.numbers[at]}: the events "
            "of Delphes are not in the order of the Les Houches file."
        )
    _check_weights(found.weights, nominal, where)


def _check_weights(seen: Floats, nominal: Floats, where: str) -> None:
    """Weights of the generator are stored up to a common factor, or are all 1."""
    if np.ptp(seen) == 0 or not seen.any() or not nominal.any():
        return
    factor = np.sum(seen * nominal) / np.sum(nominal**2)
    off = np.abs(seen - factor * nominal) > SAME * np.abs(factor * nominal)
    if off.any():
        at = int(np.argmax(off))
        raise InputError(
            f"{where}: the weights of {int(off.sum())} events, the first at {at}, are not those of "
            f"the Les Houches file ({seen[at]:.6g} against {factor * nominal[at]:.6g}): other "
            "events, or another order."
        )
