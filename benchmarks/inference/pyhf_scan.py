"""CLs of some signal strengths with pyhf; needs nothing but pyhf, so that it runs anywhere.

``pyhf_scan.py BACKEND WORKSPACE VALUES OUTPUT``: the first value is computed once before, so that
imports and compilation do not count.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

_TOLERANCE = 1e-8  # of SLSQP, pyhf's default minimiser and its fastest here


def main(backend: str, workspace: str, values: str, output: str) -> None:
    """Compute, and write CLs and CPU time."""
    import pyhf

    pyhf.set_backend(backend, pyhf.optimize.scipy_optimizer(tolerance=_TOLERANCE))
    loaded = pyhf.Workspace(json.loads(Path(workspace).read_text()))
    model = loaded.model()
    data, strengths = loaded.data(model), json.loads(values)

    def cls(strength: float) -> list[float]:
        observed, expected = pyhf.infer.hypotest(
            strength, data, model, test_stat="qtilde", return_expected_set=True
        )
        return [float(observed), *(float(one) for one in expected)]

    if backend != "numpy":  # which compiles nothing
        cls(strengths[0])
    start = time.process_time()
    found = [cls(one) for one in strengths]
    figures = {"cpu": time.process_time() - start, "found": found}
    Path(output).write_text(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
