"""Make the built-in sample by hand: ``python -m hepflow.samples --events N --folder F``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hepflow.errors import HepflowError
from hepflow.samples import ensure_sample
from hepflow.samples.truth import DEFAULT_EVENTS, DEFAULT_SEED


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the sample, show where it is, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m hepflow.samples", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where samples are kept")
    parser.add_argument("--events", type=int, default=DEFAULT_EVENTS, help="events in all")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="of the random numbers")
    parser.add_argument("--workers", type=int, default=None, help="number of processes")
    given = parser.parse_args(arguments)
    try:
        layout = ensure_sample(
            given.folder, given.events, given.seed, progress=_show, workers=given.workers
        )
    except HepflowError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_status
    sys.stdout.write(f"{layout.root}\nluminosity {layout.luminosity:g} /pb\n")
    return 0


def _show(done: int, total: int, name: str) -> None:
    sys.stderr.write(f"[{done}/{total}] {name}\n")


if __name__ == "__main__":
    raise SystemExit(main())
