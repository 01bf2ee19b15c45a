"""Options on how test statistics are calibrated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import argparse

    from hepflow.cli.arguments import Parser
    from hepflow.statistics.toys import ToySpec

TOYS: Final = 2000
SEED: Final = 1


def add_calculator_options(parser: Parser) -> None:
    """Add ``--calculator``, ``--toys`` and ``--seed``."""
    add = parser.add_argument
    kinds = ("asymptotic", "toys")
    add("--calculator", choices=kinds, default=kinds[0], help="asymptotic formulae, or toys")
    add("--toys", metavar="N", type=int, default=TOYS, help=f"pseudo-experiments ({TOYS})")
    add("--seed", metavar="N", type=int, default=SEED, help=f"of the pseudo-experiments ({SEED})")


def toys_of(options: argparse.Namespace) -> ToySpec:
    """Number and seed of the pseudo-experiments.

    Raises
    ------
    InputError
        There are too few, or the seed is negative.
    """
    from hepflow.statistics.toys import ToySpec

    return ToySpec(options.toys, options.seed).checked()
