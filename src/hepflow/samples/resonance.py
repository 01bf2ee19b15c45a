"""The signal of the built-in sample at another mass."""

from __future__ import annotations

import functools
from pathlib import Path

from hepflow.errors import InputError
from hepflow.samples import generate, processes
from hepflow.samples.write import write_file


def write_resonance(path: str | Path, mass: float, events: int, seed: int = 1) -> Path:
    """Write simulated events of a Z' -> ttbar of another mass than that of the built-in sample.

    Parameters
    ----------
    path : str or Path
        ROOT file to be made, in the layout of NanoAOD.
    mass : float
        Of the resonance [GeV], at least 500; its width is 3 % of that.
    events : int
        How many.
    seed : int
        The same seed and mass give the same events.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        The mass is too low for two top quarks.
    """
    least = processes.LOWEST_MASS + 100.0
    if not least <= mass <= 5 * processes.RESONANCE_MASS:
        raise InputError(
            f"a resonance of {mass:g} GeV: expected {least:g} to "
            f"{5 * processes.RESONANCE_MASS:g} GeV, so that it decays to two top quarks."
        )
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    rng = generate.generator((seed, events), f"signal at {mass:g} GeV", 0)
    process = functools.partial(processes.signal, pole=mass)
    write_file(file, generate.simulate("signal", events, 0, rng, process), data=False)
    return file
