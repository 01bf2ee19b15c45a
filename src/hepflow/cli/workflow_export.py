"""``hepflow workflow export``: a preserved analysis as a workflow of another engine."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from hepflow.cli.arguments import STATUS_HELP, Parser
from hepflow.cli.output import show
from hepflow.cli.references import find_modules_here
from hepflow.errors import InputError

if TYPE_CHECKING:
    from hepflow.cli.endings import Guard

_TARGETS: Final = ("yadage", "recast", "reana", "snakemake")
_DESCRIPTION: Final = """\
Write the three steps of a reinterpretation (skimming, scaling, interpretation) of a preserved
analysis in the language of another engine, with the recipe of a container. No code of the bundle is
run. Steps of yadage and snakemake run on the machine itself unless --image names a container, those
of recast and reana in a container."""


def main(arguments: Sequence[str], guard: Guard, prog: str) -> int:  # noqa: ARG001 - all commands are called alike
    """Run the command; exit status."""
    options = _parser(prog).parse_args(list(arguments))

    from hepflow.logging import setup_logging
    from hepflow.reinterpretation.workflows.export import Setting, SignalInputs, export_workflow

    setup_logging("WARNING")
    find_modules_here()
    signal = SignalInputs(
        _by_year(options.signal),
        options.cross_section,
        options.k_factor,
        options.filter_efficiency,
        options.sum_of_weights_from,
        options.process,
    )
    found = export_workflow(
        options.source,
        options.to,
        options.output,
        signal=signal,
        setting=Setting(options.image, options.author),
        digest=options.digest,
    )
    lines = [
        *((str(found.folder / name), "") for name in found.files),
        ("Container", f"{found.image}, made by `docker build`"),
        ("Bundle", found.digest),
        ("Run it", f"as {found.folder / 'README.md'} says"),
    ]
    content = {
        "folder": str(found.folder),
        "files": list(found.files),
        "digest": found.digest,
        "image": found.image,
        "parameters": dict(found.parameters),
    }
    show(lines, content, options.json)
    return 0


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = Parser(prog=prog, description=_DESCRIPTION, epilog=STATUS_HELP)
    add = parser.add_argument
    add("source", metavar="SOURCE", help="bundle, or output folder of a run, which is preserved")
    add("--to", choices=_TARGETS, required=True, help="engine")
    add("--output", metavar="DIR", default="workflow", help="folder to be made; default workflow")
    add("--image", metavar="NAME:TAG", help="container in which the steps run")
    add("--signal", metavar="FILE", nargs="+", default=[], help="file or listing; YEAR=FILE")
    add("--cross-section", metavar="SIZE", default="1 pb", help="with unit; default '1 pb'")
    add("--k-factor", metavar="K", type=float, default=1.0, help="default 1")
    add("--filter-efficiency", metavar="E", type=float, default=1.0, help="default 1")
    add("--sum-of-weights-from", choices=("auto", "events", "runs"), default="auto", help="auto")
    add("--process", metavar="NAME", default="", help="preserved signal whose place it takes")
    add("--author", metavar="NAME", default="unknown", help="for the catalogue of RECAST")
    add("--digest", metavar="SHA256", help="expected digest of the bundle")
    add("--json", metavar="FILE", help="also write the outcome as JSON; - is standard output")
    return parser


def _by_year(words: Sequence[str]) -> Mapping[str, str]:
    from hepflow.reinterpretation.signals import files_by_year

    found = files_by_year(words)
    for files in found.values():
        if len(files) > 1:
            raise InputError(
                f"--signal {' '.join(files)}: a workflow takes one file, or one for each year. Put "
                "the names into a listing, a text file with one on each line, and name that."
            )
    return {year: files[0] for year, files in found.items()}
