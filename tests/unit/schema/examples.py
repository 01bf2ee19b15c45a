"""A valid configuration that uses most fields, for the tests of the schema."""

from __future__ import annotations

from typing import Any

from hepflow.errors import ConfigurationError, Problem
from hepflow.schema import Config


def mask(*columns: Any) -> Any:
    """Stand in for a user's selection."""
    return columns


def number(*columns: Any) -> Any:
    """Stand in for a user's observable."""
    return columns


def _observable(name: str, binning: Any) -> dict[str, Any]:
    return {
        "name": name,
        "binning": binning,
        "label": f"{name} [GeV]",
        "function": number,
        "use": [("Muon", "pt"), "Jet.pt"],
    }


def _datasets() -> dict[str, Any]:
    return {
        "datasets": [
            {"name": "signal", "directory": "in/signal", "cross_section": 1.5},
            {
                "name": "ttbar_semilep",
                "process": "ttbar",
                "files": ["a.root", "b.root"],
                "cross_section": 364.3,
                "k_factor": 1.2,
                "filter_efficiency": 0.5,
            },
            {"name": "wjets", "directory": "in/wjets", "cross_section": 61526.7},
            {"name": "data", "directory": "in/data", "is_data": True},
        ],
        "max_files": None,
    }


def _corrections() -> list[dict[str, Any]]:
    return [
        {
            "name": "pileup",
            "type": "event",
            "file": "pu.json",
            "key": "pu",
            "use": [("event", "Pileup_nTrueInt")],
            "nominal_idx": "nominal",
            "up_and_down_idx": ["up", "down"],
        },
        {
            "name": "jes",
            "type": "object",
            "use_correctionlib": False,
            "use": [("Jet", "pt")],
            "target": ("Jet", "pt"),
            "nominal_function": number,
            "uncertainty_sources": [
                {"name": "jes_pu", "up_function": number, "down_function": number}
            ],
        },
    ]


def _systematics() -> list[dict[str, Any]]:
    return [
        {"name": "lumi", "type": "normalisation", "size": 0.025},
        {
            "name": "top_pt",
            "type": "event",
            "up_function": number,
            "down_function": number,
            "use": [("Muon", "pt")],
            "processes": ["ttbar"],
        },
    ]


def valid() -> dict[str, Any]:
    """Build a configuration without a mistake, anew each time."""
    channel = {
        "name": "SR",
        "kind": "signal",
        "selection": {"function": mask, "use": [("Muon", "pt")]},
        "observables": [_observable("mass", "200,3000,20"), _observable("pt", [0, 50, 100, 500])],
        "fit_observable": "mass",
    }
    control = {
        "name": "CR",
        "kind": "control",
        "selection": {"cuts": [{"name": "two_jets", "function": mask, "use": ["Jet"]}]},
        "observables": [_observable("mass", "200,3000,20")],
        "fit_observable": "mass",
    }
    return {
        "general": {"lumi": 16400.0, "max_files": None, "output_dir": "outputs"},
        "datasets": _datasets(),
        "preprocess": {
            "branches": {
                "Muon": ["pt", "eta", "phi"],
                "Jet": ["pt", "phi"],
                "event": ["HLT_TkMu50"],
            },
            "mc_branches": {"event": ["genWeight", "Pileup_nTrueInt"]},
            "skimming": {
                "selection_function": mask,
                "selection_use": [("Muon", "pt"), ("event", "HLT_TkMu50")],
                "static_kwargs": {"threshold": 30.0},
                "chunk_size": 100_000,
            },
        },
        "baseline_selection": {"function": mask, "use": [("Muon", None)]},
        "good_object_masks": {
            "analysis": [{"object": "Muon", "function": mask, "use": [("Muon", "pt")]}]
        },
        "channels": [channel, control],
        "ghost_observables": [
            {"names": ["ht", "n"], "collections": "Ghost", "function": number, "use": ["Jet.pt"]}
        ],
        "corrections": _corrections(),
        "systematics": _systematics(),
        "statistics": {
            "norm_factors": [
                {"name": "mu", "processes": ["signal"], "nominal": 1.0, "bounds": (0.0, 20.0)},
                {"name": "ttbar_norm", "processes": ["ttbar"]},
            ],
            "poi": "mu",
        },
        "plotting": {"process_colors": {"ttbar": "red"}, "process_order": ["wjets", "ttbar"]},
    }


REMOVE = object()


def changed(**values: Any) -> dict[str, Any]:
    """Build the valid configuration with changes, ``__`` for a dot: ``general__lumi=1``."""
    config = valid()
    for path, value in values.items():
        put(config, path, value)
    return config


def put(config: Any, path: str, value: Any) -> None:
    """Change one place, made of names and numbers between ``__``."""
    *way, last = (int(step) if step.isdigit() else step for step in path.split("__"))
    for step in way:
        config = config[step] if isinstance(step, int) else config.setdefault(step, {})
    if value is REMOVE:
        del config[last]
    else:
        config[last] = value


def problems_in(config: Any) -> dict[str, Problem]:
    """Validate and return what is wrong by path; nothing where all is well."""
    try:
        Config.of(config)
    except ConfigurationError as error:
        paths = [problem.path for problem in error.problems]
        assert len(paths) == len(set(paths)), f"a path is reported twice: {paths}"
        return {problem.path: problem for problem in error.problems}
    return {}
