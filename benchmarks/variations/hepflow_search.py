"""The search with hepflow, in this process: the whole chain up to histograms on disk."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from benchmarks.variations import physics
from benchmarks.variations.records import Found


def configuration(path: Path, output: Path, *, code: str, variations: bool) -> dict[str, Any]:
    """Configuration for one file, from the functions of `code`."""
    if code == "numba":
        from benchmarks.variations import search_compiled

        config = search_compiled.make(str(path), str(output))
    else:
        from benchmarks.variations import search

        config = search.make(str(path), str(output))
    config["general"] |= {"cache_dir": str(output / "cache"), "run_systematics": variations}
    return config


def direct(path: Path, output: Path, *, code: str, variations: bool) -> Found:
    """Fill from the original file, without a skim on disk and with nothing from a cache."""
    shutil.rmtree(output, ignore_errors=True)
    config = configuration(path, output, code=code, variations=variations)
    config["execution"]["one_pass"] = True
    return _run(config, output)


def make_skim(path: Path, output: Path, *, code: str) -> Found:
    """Write the skim that keeps a tenth; fills nominal only."""
    from benchmarks.variations import search

    shutil.rmtree(output, ignore_errors=True)
    config = configuration(path, output, code=code, variations=False)
    config["preprocess"]["skimming"] |= search.SKIM
    return _run(config, output)


def from_skim(path: Path, output: Path, *, code: str, variations: bool) -> Found:
    """Fill from the skim that `make_skim` wrote, and not from stored histograms."""
    from benchmarks.variations import search

    config = configuration(path, output, code=code, variations=variations)
    config["preprocess"]["skimming"] |= search.SKIM
    config["general"] |= {"run_metadata_generation": False, "run_skimming": False}
    shutil.rmtree(output / "histograms", ignore_errors=True)
    shutil.rmtree(output / "cache", ignore_errors=True)
    return _run(config, output)


def _run(config: dict[str, Any], output: Path) -> Found:
    from hepflow import pipeline

    finished = pipeline.run(config)
    if finished.result is None:
        raise RuntimeError("the run filled no histogram")
    filled = finished.result.histograms
    summary = json.loads((output / "metadata" / "nanoaods.json").read_text(encoding="utf-8"))
    total = summary["ttbar"]["nominal"]["sum_weights_total"]
    names = filled.variations("SR", "ht")
    templates = {name: filled.template("SR", "ht", "ttbar", name) for name in names}
    found = Found({name: (one.sumw, one.sumw2) for name, one in templates.items()}, total)
    return found.scaled(total / physics.CROSS_SECTION)  # as filled, before the normalisation
