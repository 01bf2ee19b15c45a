"""``hepflow publish``: patch sets of a signal grid, and submissions to HEPData."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hepflow.cli.arguments import STATUS_HELP, Parser
from hepflow.cli.output import show
from hepflow.errors import InputError, did_you_mean

if TYPE_CHECKING:
    import argparse

    from hepflow.cli.endings import Guard
    from hepflow.reinterpretation.publishing import Record, SignalPatch

_POINTS: Final = """\
signal points are given as:
  runs/zprime_2000                     its name, and values from the numbers in it
  zprime:2000=runs/second              name:values=path, as many values as labels"""
_PATCHSET: Final = """\
Write a pyhf patch set: what each signal adds to a background-only workspace. The backgrounds must
be the same; the set is applied, and verified by pyhf, before it is written."""
_HEPDATA: Final = """\
Write a submission to HEPData: tables of yields, cutflow, limits, fit parameters and their
covariance, with the likelihood attached. It is kept only if the validator of HEPData accepts it."""
_ACTIONS: Final = """\
  patchset BKGONLY SIGNAL...   pyhf patch set of a signal grid
  hepdata SOURCE...            submission to HEPData

`hepflow publish patchset --help` and `hepflow publish hepdata --help` tell more."""


def main(arguments: Sequence[str], guard: Guard, prog: str) -> int:  # noqa: ARG001 - all commands are called alike
    """Run the command; exit status."""
    parser = Parser(prog=prog, description=f"Publish results.\n\n{_ACTIONS}", epilog=STATUS_HELP)
    parser.add_argument("action", metavar="{patchset,hepdata}", help="what to publish")
    actions: dict[str, Callable[[Sequence[str], str], int]] = {
        "patchset": _patchset,
        "hepdata": _hepdata,
    }
    action = parser.parse_args(list(arguments[:1])).action
    if action not in actions:
        raise InputError(f"{prog}: nothing is called {action!r}. {did_you_mean(action, actions)}")
    return actions[action](arguments[1:], f"{prog} {action}")


def _patchset(arguments: Sequence[str], prog: str) -> int:
    from hepflow.reinterpretation.bundle.signal import UNPUBLISHED, split
    from hepflow.reinterpretation.publishing import (
        Point,
        background_of,
        make_patch_set,
        read_points,
        readable,
        workspace_of,
    )
    from hepflow.storage import write_json

    options = _patchset_options(arguments, prog)
    labels, background = options.labels.split(","), Path(options.background)
    points = read_points(options.signals, labels)
    with readable(points) as found:
        signals = list(zip(points, [workspace_of(one.path) for one in found], strict=True))
    if options.make_background:
        if background.exists():
            raise InputError(f"{background} is there: --make-background would replace it.")
        without = split(signals[0][1]).background
    else:
        with readable([Point("background", (), background)]) as found:
            without = background_of(found[0].path)
    content, made = make_patch_set(
        without,
        signals,
        labels=labels,
        description=options.description,
        record=options.record or UNPUBLISHED,
    )
    if options.make_background:
        write_json(background, without, sort_keys=False)
    write_json(Path(options.output), content, sort_keys=False)
    _show_patch_set(content, made, options)
    return 0


def _show_patch_set(
    content: dict[str, Any], made: Sequence[SignalPatch], options: argparse.Namespace
) -> None:
    metadata = content["metadata"]
    lines = [
        ("Patch set", f"{options.output}: {len(made)} patches by {', '.join(metadata['labels'])}"),
        ("Background", f"{options.background}, SHA-256 {metadata['digests']['sha256']}"),
        *(
            (one.point.name, f"{', '.join(map(str, one.point.values))}: {', '.join(one.samples)}")
            for one in made
        ),
    ]
    if not options.record:
        none = metadata["references"]["hepdata"]
        text = f"no --record yet: {none} stands for it. Give it before you publish."
        lines.append(("Notice", text))
    points = [
        {"name": one.point.name, "values": list(one.point.values), "samples": list(one.samples)}
        for one in made
    ]
    summary = {"output": options.output, "points": points, "metadata": metadata}
    show(lines, summary, options.json)


def _patchset_options(arguments: Sequence[str], prog: str) -> argparse.Namespace:
    parser = Parser(prog=prog, description=_PATCHSET, epilog=f"{_POINTS}\n\n{STATUS_HELP}")
    add = parser.add_argument
    add("background", metavar="BKGONLY", help="workspace, run or bundle without the signal")
    add("signals", metavar="SIGNAL", nargs="+", help="runs or workspaces with it, see below")
    add("--output", metavar="FILE", default="patchset.json", help="default patchset.json")
    add("--labels", metavar="NAME,...", default="mass", help="of the values (default mass)")
    add("--description", metavar="TEXT", default="signal grid", help="for readers of the set")
    add("--record", metavar="insNNNNNNN", help="Inspire record on HEPData, such as ins1234567")
    add(
        "--make-background",
        action="store_true",
        help="write BKGONLY: the first signal's workspace without what its POI multiplies",
    )
    add("--json", metavar="FILE", help="also write a summary as JSON; - is standard output")
    return parser.parse_args(list(arguments))


def _hepdata(arguments: Sequence[str], prog: str) -> int:
    from hepflow.reinterpretation.publishing import (
        read_material,
        read_points,
        readable,
        write_submission,
    )
    from hepflow.reinterpretation.publishing.tables import split_label

    options = _hepdata_options(arguments, prog)
    labels = [re.sub(r"\W+", "_", split_label(axis)[0], flags=re.ASCII) for axis in options.axis]
    points = read_points(options.sources, labels)
    with readable(points) as found:
        written = write_submission(
            [read_material(point) for point in found],
            Path(options.output),
            record=_record(options),
            axes=options.axis,
            likelihood=[Path(one) for one in options.likelihood],
        )
    lines = [
        ("Submission", f"{written.path} (accepted by the validator of HEPData)"),
        *(("Table", name) for name in written.tables),
        *(("Attached", name) for name in written.resources),
        *(("Notice", text) for text in written.notices),
    ]
    content = {
        "output": str(written.path),
        "tables": list(written.tables),
        "resources": list(written.resources),
        "notices": list(written.notices),
    }
    show(lines, content, options.json)
    return 0


def _hepdata_options(arguments: Sequence[str], prog: str) -> argparse.Namespace:
    parser = Parser(prog=prog, description=_HEPDATA, epilog=f"{_POINTS}\n\n{STATUS_HELP}")
    add = parser.add_argument
    add("sources", metavar="SOURCE", nargs="+", help="runs or preserved bundles, see below")
    add("--output", metavar="PATH", default="submission", help="folder, .tar.gz or .zip")
    add(
        "--axis",
        metavar="TITLE",
        action="append",
        default=[],
        help="of a value of the points with unit, such as 'm(Zprime) [GeV]'; repeatable",
    )
    add("--abstract", metavar="TEXT", default="", help="what the submission is")
    add("--energy", metavar="TEV", type=float, help="center-of-mass (default: that of the run)")
    add("--luminosity", metavar="SIZE", help="with unit, such as '140 /fb' (default: the run's)")
    add("--reaction", metavar="TEXT", action="append", help="keyword, such as 'P P --> TOP TOPBAR'")
    add("--phrase", metavar="TEXT", action="append", default=[], help="keyword; repeatable")
    add("--licence", metavar="NAME[=URL]", default="CC0", help="CC0 (default), CC-BY-4.0, ...")
    add(
        "--likelihood",
        metavar="FILE",
        action="append",
        default=[],
        help="workspace or patch set to attach instead of those of the sources; repeatable",
    )
    add("--json", metavar="FILE", help="also write a summary as JSON; - is standard output")
    return parser.parse_args(list(arguments))


def _record(options: argparse.Namespace) -> Record:
    from hepflow.reinterpretation.publishing import Licence, Record
    from hepflow.reinterpretation.quantities import luminosity

    return Record(
        abstract=options.abstract,
        energy=options.energy,
        luminosity=luminosity(options.luminosity) if options.luminosity else None,
        reactions=options.reaction or ("P P --> X",),
        phrases=options.phrase,
        licence=Licence.read(options.licence),
    )
