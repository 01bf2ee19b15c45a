"""The same with hepflow, and a ranking with hepflow and with cabinetry.

``ours.py WHAT WORKSPACE VALUES OUTPUT``: what comes once before is imports.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Content = Mapping[str, Any]
_TOLERANCE = 1e-6  # of Minuit; with cabinetry's default impacts are known to a few per cent only


def scan(workspace: Content, values: list[float]) -> Any:
    """CLs of these signal strengths, with the free and the background-only fit."""
    from hepflow.statistics import Cls, load_likelihood

    found = Cls(*load_likelihood(workspace)).points(values)
    return [[one.observed, *one.expected] for one in found]


def ranking(workspace: Content, values: list[float]) -> Any:
    """Impacts of all parameters, and the fit before."""
    from hepflow.statistics import fit, load_likelihood
    from hepflow.statistics.impacts import ranking as ranked

    del values
    likelihood, data = load_likelihood(workspace)
    found = ranked(likelihood, data, fit(likelihood, data))
    impacts = {one.parameter: [*one.postfit, *(one.prefit or ())] for one in found.impacts}
    return {"impacts": impacts, "uncertainty": found.uncertainty}


def cabinetry_ranking(workspace: Content, values: list[float]) -> Any:
    """The same with cabinetry and pyhf's numpy, without the fit before."""
    import cabinetry
    import numpy as np
    import pyhf

    from hepflow.statistics import fit, load_likelihood, to_cabinetry

    del values
    pyhf.set_backend("numpy")
    model, data = cabinetry.model_utils.model_and_data(dict(workspace))
    # the same uncertainties: those of Minuit are good to a part in a thousand only
    best = to_cabinetry(fit(*load_likelihood(workspace)))
    found = cabinetry.fit.ranking(model, data, fit_results=best, tolerance=_TOLERANCE)
    sides = np.array([found.postfit_down, found.postfit_up, found.prefit_down, found.prefit_up]).T
    return {"impacts": dict(zip(found.labels, sides.tolist(), strict=True))}


WORK: Mapping[str, Callable[[Content, list[float]], Any]] = {
    "scan": scan,
    "ranking": ranking,
    "cabinetry": cabinetry_ranking,
}


def main(what: str, workspace: str, values: str, output: str) -> None:
    """Compute, and write what was found and the CPU time."""
    from benchmarks.inference.models import bump

    content, strengths = json.loads(Path(workspace).read_text()), json.loads(values)
    WORK[what](bump(2, 1, mc_stat=False), [1.0])  # imports
    start = time.process_time()
    found = WORK[what](content, strengths)
    Path(output).write_text(json.dumps({"cpu": time.process_time() - start, "found": found}))


if __name__ == "__main__":
    main(*sys.argv[1:])
