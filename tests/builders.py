"""Tiny inputs for tests: ROOT files in the NanoAOD layout, correction files, configurations."""

from __future__ import annotations

import copy
import functools
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot

from hepflow.events import Lists
from hepflow.metadata_extractor import NanoAODMetadataGenerator
from hepflow.object_order import keep_objects
from hepflow.output_manager import OutputDirectoryManager
from hepflow.records import Dataset
from hepflow.schema import Config
from hepflow.skimming import process_workitems_with_skimming

SHARED = Path(__file__).parent.parent.parent / "shared" / "data"


def shared(path: str) -> Path:
    """Path of a real input; the test is skipped where the folder is absent."""
    found = SHARED / path
    if not found.exists():
        pytest.skip(f"{path} of the real inputs is not there")
    return found


# -- events ------------------------------------------------------------------------------


def _jagged(rng: np.random.Generator, counts: np.ndarray, low: float, high: float) -> ak.Array:
    flat = rng.uniform(low, high, int(counts.sum())).astype(np.float32)
    return ak.unflatten(flat, counts)


def _falling(rng: np.random.Generator, counts: np.ndarray, low: float, mean: float) -> ak.Array:
    """Transverse momenta, sorted in each event as in a real file."""
    flat = (low + rng.exponential(mean, int(counts.sum()))).astype(np.float32)
    return ak.sort(ak.unflatten(flat, counts), axis=1, ascending=False)


def toy_columns(n: int, seed: int = 1, *, data: bool = False) -> dict[str, Any]:
    """Branches of `n` toy events by name; simulation has weights of both signs, and zeros."""
    rng = np.random.default_rng(seed)
    n_mu, n_jet = rng.integers(0, 4, n), rng.integers(0, 6, n)
    pointer = rng.integers(-1, 6, int(n_mu.sum()))
    jets = np.repeat(n_jet, n_mu)
    found = {
        "run": np.full(n, 273158, np.uint32),
        "luminosityBlock": rng.integers(1, 60, n).astype(np.uint32),
        "event": np.arange(n, dtype=np.uint64),
        "HLT_Mu50": rng.random(n) < 0.8,
        "MET_pt": rng.exponential(60.0, n).astype(np.float32),
        "MET_phi": rng.uniform(-3, 3, n).astype(np.float32),
        "Muon_pt": _falling(rng, n_mu, 20.0, 60.0),
        "Muon_eta": _jagged(rng, n_mu, -2.3, 2.3),
        "Muon_phi": _jagged(rng, n_mu, -3.1, 3.1),
        "Muon_mass": _jagged(rng, n_mu, 0.1, 0.11),
        "Muon_jetIdx": ak.unflatten(np.where(pointer < jets, pointer, -1).astype(np.int16), n_mu),
        "Jet_pt": _falling(rng, n_jet, 20.0, 50.0),
        "Jet_eta": _jagged(rng, n_jet, -2.4, 2.4),
        "Jet_phi": _jagged(rng, n_jet, -3.1, 3.1),
        "Jet_mass": _jagged(rng, n_jet, 5.0, 20.0),
        "Jet_muonIdx1": ak.unflatten(np.full(int(n_jet.sum()), -1, np.int16), n_jet),
        "nothing_reads_me": rng.random(n),
    }
    if not data:
        weights = rng.choice([2.5, 2.5, 2.5, 1.5, -2.5, 0.0], n).astype(np.float32)
        found |= {"genWeight": weights, "Pileup_nTrueInt": rng.uniform(0, 60, n).astype(np.float32)}
    return found


def write_nano(
    path: Path,
    columns: Mapping[str, Any],
    *,
    tree: str = "Events",
    runs: Sequence[float] | None = None,
    runs_branch: str = "genEventSumw",
) -> Path:
    """Write branches as a TTree; with `runs` also a Runs tree with these sums of weights."""
    path.parent.mkdir(parents=True, exist_ok=True)
    types: dict[str, Any] = {}
    for name, values in columns.items():
        jagged = isinstance(values, ak.Array)
        dtype = ak.to_numpy(ak.flatten(values)).dtype if jagged else np.asarray(values).dtype
        types[name] = f"var * {dtype.name}" if jagged else dtype
    with uproot.recreate(path) as file:
        file.mktree(tree, types, counter_name=lambda name: f"n{name.partition('_')[0]}")
        if len(next(iter(columns.values()))):
            file[tree].extend(_grouped(columns))
        if runs is not None:
            numbers = np.asarray(runs, dtype=np.float64)
            file.mktree("Runs", {"run": np.uint32, runs_branch: np.float64})
            file["Runs"].extend({"run": np.full(len(numbers), 1, np.uint32), runs_branch: numbers})
    return path


def _grouped(columns: Mapping[str, Any]) -> dict[str, Any]:
    counters = {
        f"n{name.partition('_')[0]}": ak.to_numpy(ak.num(values, axis=1)).astype(np.int32)
        for name, values in columns.items()
        if isinstance(values, ak.Array)
    }
    return {**counters, **columns}


def cut_columns(columns: Mapping[str, Any], start: int, stop: int | None) -> dict[str, Any]:
    """Branches of an entry range."""
    return {name: values[start:stop] for name, values in columns.items()}


@functools.cache
def _toy_files() -> dict[str, bytes]:
    """Contents of the standard inputs: writing ROOT files takes longer than copying them."""
    columns = toy_columns(250)
    contents = {
        "mc_0.root": cut_columns(columns, 0, 150),
        "mc_1.root": cut_columns(columns, 150, None),
        "data.root": toy_columns(120, 2, data=True),
    }
    with tempfile.TemporaryDirectory() as folder:
        return {
            name: write_nano(Path(folder) / name, one).read_bytes()
            for name, one in contents.items()
        }


def toy_inputs(folder: Path) -> list[dict[str, Any]]:
    """Write 250 events of simulation in two files and 120 of data; return their datasets.

    The simulation is ``toy_columns(250)``, the data ``toy_columns(120, 2, data=True)``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in _toy_files().items():
        (folder / name).write_bytes(content)
    return [
        {"name": "mc", "files": [str(folder / "mc_*.root")], "cross_section": 10.0},
        {"name": "data", "files": [str(folder / "data.root")], "is_data": True},
    ]


def make_dataset(key: str = "mc__nominal", **changes: Any) -> Dataset:
    """Build a record of simulation: 10 pb at 100 /pb."""
    values: dict[str, Any] = {
        "key": key,
        "name": key.partition("__")[0],
        "process": key.partition("__")[0],
        "variation": "nominal",
        "is_data": False,
        "year": None,
        "cross_section": 10.0,
        "luminosity": 100.0,
        "k_factor": 1.0,
        "filter_efficiency": 1.0,
        "tree_name": "Events",
        "weight_branch": "genWeight",
        "sumw_source": "auto",
        "lumi_mask": None,
    }
    return Dataset(**{**values, **changes})


# -- correction files --------------------------------------------------------------------


def binning(name: str, edges: Sequence[Any], content: Sequence[Any], flow: Any) -> dict[str, Any]:
    """Node with bins."""
    return {
        "nodetype": "binning",
        "input": name,
        "edges": [one if isinstance(one, str) else float(one) for one in edges],
        "content": list(content),
        "flow": flow,
    }


def category(name: str, content: Mapping[Any, Any]) -> dict[str, Any]:
    """Node with a branch for each key."""
    pairs = [{"key": key, "value": value} for key, value in content.items()]
    return {"nodetype": "category", "input": name, "content": pairs}


def correction_node(name: str, inputs: Mapping[str, str], data: Any) -> dict[str, Any]:
    """One correction; `inputs` are types by name."""
    return {
        "name": name,
        "version": 1,
        "inputs": [{"name": key, "type": kind} for key, kind in inputs.items()],
        "output": {"name": "weight", "type": "real"},
        "data": data,
    }


def scale_node(
    name: str,
    variable: str,
    edges: Sequence[float],
    values: Mapping[str, Sequence[float]],
    flow: Any,
) -> dict[str, Any]:
    """Scale factors in bins of one input, by what the file calls nominal, up and down."""
    branches = {key: binning(variable, edges, content, flow) for key, content in values.items()}
    inputs = {variable: "real", "systematic": "string"}
    return correction_node(name, inputs, category("systematic", branches))


def write_corrections(path: Path, *nodes: Mapping[str, Any]) -> str:
    """Write a correctionlib file and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"schema_version": 2, "corrections": list(nodes)}))
    return str(path)


# -- configured functions ----------------------------------------------------------------


def keep_triggered(trigger: Any, met: Any, threshold: float = 10.0) -> Any:
    """Skim: trigger and missing momentum."""
    return trigger & (met > threshold)


def good_muons(pt: Any) -> Any:
    """Muons above 30 GeV."""
    return pt > 30.0


def has_muon(muons: Any) -> Any:
    """At least one muon."""
    return ak.num(muons, axis=1) >= 1


def two_jets(jets: Any) -> Any:
    """At least two jets."""
    return ak.num(jets, axis=1) >= 2


def few_jets(jets: Any) -> Any:
    """At most one jet."""
    return ak.num(jets, axis=1) < 2


def leading_pt(objects: Any) -> Any:
    """Transverse momentum of the leading object; 0 without one."""
    return ak.fill_none(ak.firsts(objects.pt, axis=1), 0.0)


def all_pts(pt: Any) -> Any:
    """One value for each object."""
    return pt


def itself(values: Any) -> Any:
    """A column as it is."""
    return values


def scalar_sum(jets: Any, met: Any) -> Any:
    """Sum of the jets' pt and the missing momentum."""
    return ak.sum(jets.pt, axis=1) + met


def scale_one(pt: Any) -> Any:
    """No change."""
    return pt * 0 + 1.0


def scale_up(pt: Any) -> Any:
    """3 % up."""
    return pt * 0 + 1.03


def scale_down(pt: Any) -> Any:
    """3 % down."""
    return pt * 0 + 0.97


def mask_object(events: Any, name: str, mask: Any) -> Any:
    """Keep objects of a collection, as a configured object mask does."""
    objects = Lists.of(events[name])
    return keep_objects(events, name, objects, ak.to_numpy(ak.flatten(mask)))


# -- configuration -----------------------------------------------------------------------


def observable(name: str, binning_: Any, function: Any, use: Sequence[Any]) -> dict[str, Any]:
    """One observable."""
    return {
        "name": name,
        "binning": binning_,
        "function": function,
        "use": list(use),
        "label": name,
    }


def tiny_config(folder: Path, datasets: Sequence[Mapping[str, Any]], **sections: Any) -> dict:
    """Build a small configuration that writes below `folder` and runs in this process.

    Keyword arguments replace sections; those of ``general`` are merged.
    """
    general = {
        "lumi": 100.0,
        "output_dir": str(folder / "out"),
        "cache_dir": str(folder / "cache"),
        "run_statistics": False,
        **sections.pop("general", {}),
    }
    observables = [
        observable("muon_pt", "0,200,10", leading_pt, [("Muon", None)]),
        observable("jet_pts", [0.0, 30.0, 60.0, 120.0], all_pts, [("Jet", "pt")]),
        observable("ht", "0,500,5", itself, [("sums", "ht")]),
    ]
    config: dict[str, Any] = {
        "general": general,
        "datasets": {"datasets": [dict(one) for one in datasets]},
        "preprocess": {
            "branches": {
                "event": ["run", "luminosityBlock", "event", "HLT_Mu50"],
                "MET": ["pt", "phi"],
                "Muon": ["pt", "eta", "phi", "mass", "jetIdx"],
                "Jet": ["pt", "eta", "phi", "mass"],
            },
            "mc_branches": {"event": ["genWeight"], "Pileup": ["nTrueInt"]},
            "skimming": {
                "function": keep_triggered,
                "use": [("event", "HLT_Mu50"), ("MET", "pt")],
                "chunk_size": 100,
            },
        },
        "good_object_masks": {
            "analysis": [{"object": "Muon", "function": good_muons, "use": [("Muon", "pt")]}]
        },
        "baseline_selection": {"function": has_muon, "use": [("Muon", None)]},
        "ghost_observables": [
            {
                "names": ["ht"],
                "collections": "sums",
                "function": scalar_sum,
                "use": [("Jet", None), ("MET", "pt")],
            }
        ],
        "channels": [
            {
                "name": "SR",
                "selection": {"cuts": [{"name": "jets", "function": two_jets, "use": ["Jet"]}]},
                "observables": observables,
                "fit_observable": "muon_pt",
            },
            {
                "name": "CR",
                "kind": "control",
                "selection": {"function": few_jets, "use": ["Jet"]},
                "observables": observables[:1],
                "fit_observable": "muon_pt",
            },
        ],
        "plotting": {"enabled": False},
        "execution": {"backend": "inprocess"},
    }
    return {**config, **copy.copy(sections)}


def event_correction(file: str, **changes: Any) -> dict[str, Any]:
    """Pile-up weight from a file written with `scale_node`."""
    return {
        "name": "pileup",
        "type": "event",
        "file": file,
        "key": "pu",
        "use": [("Pileup", "nTrueInt")],
        "nominal_idx": "nominal",
        "up_and_down_idx": ("up", "down"),
        **changes,
    }


def jet_scale(**changes: Any) -> dict[str, Any]:
    """Jet energy scale by functions, 3 % uncertain."""
    return {
        "name": "jes",
        "type": "object",
        "use_correctionlib": False,
        "use": [("Jet", "pt")],
        "target": ("Jet", "pt"),
        "nominal_function": scale_one,
        "uncertainty_sources": [
            {"name": "jes_total", "up_function": scale_up, "down_function": scale_down}
        ],
        **changes,
    }


def manager_of(config: Config | Mapping[str, Any]) -> OutputDirectoryManager:
    """Output manager of a configuration."""
    general = Config.of(config).general
    return OutputDirectoryManager(root_output_dir=general.output_dir, cache_dir=general.cache_dir)


def make_metadata(config: Config | Mapping[str, Any]) -> NanoAODMetadataGenerator:
    """Run the metadata step in this process."""
    from hepflow.datasets import ConfigurableDatasetManager

    valid = Config.of(config)
    generator = NanoAODMetadataGenerator(
        dataset_manager=ConfigurableDatasetManager(valid.datasets),
        output_manager=manager_of(valid),
    )
    generator.run()
    return generator


def make_skims(config: Config | Mapping[str, Any], **arguments: Any) -> dict[str, Any]:
    """Run metadata and skim in this process."""
    found = make_metadata(config)
    return process_workitems_with_skimming(
        found.workitems,
        config,
        manager_of(config),
        found.fileset,
        found.nanoaods_summary,
        **arguments,
    )
