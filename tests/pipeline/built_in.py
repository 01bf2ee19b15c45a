"""The built-in analysis on a sample of any size and seed, stage by stage."""

from __future__ import annotations

import fcntl
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from analysis.nondiff import NonDiffAnalysis
from hepflow.execution import make_executor
from hepflow.pipeline import make_output_manager, make_skims
from hepflow.samples import SampleLayout, describe_sample
from hepflow.schema import Config
from hepflow.skimming import Skim

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Run:
    """Histograms of the built-in analysis, with what they were made of."""

    config: dict[str, Any]
    skims: dict[str, Skim]
    analysis: NonDiffAnalysis


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let one process of the test suite at a time do the same work; the next one reuses it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def configuration(sample: SampleLayout, folder: Path) -> dict[str, Any]:
    """``user.configuration.config`` for a sample that exists, writing below `folder` only."""
    config = _config_of(sample)
    config["general"]["output_dir"] = str(folder / "out")
    config["general"]["cache_dir"] = str(folder / "cache")
    config["plotting"]["enabled"] = False
    config["execution"] = {"backend": "inprocess"}
    return config


def _config_of(sample: SampleLayout) -> dict[str, Any]:
    """Load a copy of the module: which sample it describes is decided when it is loaded."""
    path = ROOT / "user" / "configuration.py"
    spec = importlib.util.spec_from_file_location("user_configuration_of_tests", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)

    def of_this(_: Path, events: int) -> SampleLayout:
        return describe_sample(sample.root.parent, events, sample.seed)

    size = {"HEPFLOW_SAMPLE_EVENTS": str(sample.requested_events)}
    with (
        mock.patch("hepflow.samples.describe_sample", of_this),
        mock.patch.dict("os.environ", size),
    ):
        spec.loader.exec_module(module)
    assert sample.root == module.SAMPLE.root, "the sample is not where the configuration looks"
    assert module.__name__ not in sys.modules
    module.config["datasets"]["prepare"] = None  # it is there
    config: dict[str, Any] = module.config
    return config


def skim(config: dict[str, Any]) -> dict[str, Skim]:
    """Metadata and skim."""
    valid = Config.of(config)
    with make_executor(**valid.datasets.execution_args) as executor:
        return make_skims(valid, make_output_manager(valid), executor)


def fill(config: dict[str, Any], skims: dict[str, Skim] | None = None) -> Run:
    """Fill the histograms; metadata and skim as well where they are not given."""
    valid = Config.of(config)
    skims = skim(config) if skims is None else skims
    analysis = NonDiffAnalysis(valid, skims, make_output_manager(valid))
    with make_executor(**valid.datasets.execution_args) as executor:
        analysis.fill_histograms(executor)
    return Run(config, skims, analysis)
