"""Options of ``hepflow reinterpret``: which go together, and what they say."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final

from hepflow.errors import InputError

if TYPE_CHECKING:
    from hepflow.cli.arguments import Parser
    from hepflow.reinterpretation.settings import LimitSettings
    from hepflow.reinterpretation.signal_results import Look
    from hepflow.reinterpretation.signal_steps import Size
    from hepflow.reinterpretation.signals import Signal

STEPS: Final = ("skimming", "scaling", "interpretation")
_FILLING: Final = (
    *("signal", "name", "process", "sum_of_weights_from", "tree", "branch_map", "workers"),
)
_SIZE: Final = ("cross_section", "k_factor", "filter_efficiency")
_LIMIT: Final = (
    *("expected_only", "confidence_level", "scan_points", "no_plots", "format", "draw_each"),
    "label",
)
_TRUST: Final = ("trust", "digest")
# What each way of calling takes beside the source, --output and --json.
_TAKEN: Final = {
    "the whole": {*_FILLING, *_SIZE, *_LIMIT, *_TRUST, "points", "point", "theory"},
    "--patch": {*_LIMIT, "patch"},
    "--step skimming": {*_FILLING, *_TRUST, "point"},
    "--step scaling": {*_SIZE, *_TRUST, "input", "luminosity"},
    "--step interpretation": {*_LIMIT, *_TRUST, "input", "point"},
}
_NEEDED: Final = {
    "the whole": (("signal", "points"),),
    "--patch": (),
    "--step skimming": (("signal",),),
    "--step scaling": (("input",), ("cross_section",)),
    "--step interpretation": (("input",),),
}


def step_parser(parser: Parser) -> Parser:
    """Add all options."""
    add = parser.add_argument
    add("source", metavar="SOURCE", help="bundle of `hepflow preserve`; with --patch a workspace")
    add("--output", metavar="DIR", required=True, help="folder for results; of single steps a file")
    add("--trust", action="store_true", help="run the code in the bundle: read it before")
    add("--digest", metavar="SHA256", help="expected digest of the bundle")
    add(
        "--signal",
        metavar="FILE",
        nargs="+",
        action="extend",
        help="its files, globs or listings; YEAR=FILE",
    )
    add("--cross-section", metavar="SIZE", help="of the signal, with unit, such as '44.9 fb'")
    add("--k-factor", metavar="K", type=float, help="default 1")
    add("--filter-efficiency", metavar="E", type=float, help="default 1")
    add("--sum-of-weights-from", choices=("auto", "events", "runs"), help="default auto")
    add("--tree", metavar="NAME", help="with the events; default as in the preserved analysis")
    add(
        "--branch-map",
        metavar="WANTED=NAME",
        nargs="+",
        action="extend",
        help="branches of other names in files",
    )
    add("--process", metavar="NAME", help="preserved signal whose place it takes")
    add("--name", metavar="NAME", help="of the signal; default signal")
    add(
        "--point",
        metavar="NAME=NUMBER",
        nargs="+",
        action="extend",
        help="parameters of the signal: m=2000",
    )
    add("--theory", metavar="SIZE", help="predicted cross-section, if not that of the signal")
    add("--points", metavar="FILE", help="several signals: YAML or JSON with a list of points")
    add(
        "--patch",
        metavar="FILE[:NAME]",
        nargs="+",
        action="extend",
        help="signals as patches of a workspace",
    )
    add("--step", choices=STEPS, help="only this step, see below")
    add(
        "--input",
        metavar="FILE",
        nargs="+",
        action="extend",
        help="of a single step: what the one before wrote",
    )
    add("--luminosity", metavar="SIZE", help="of --step scaling: compared with the bundle's")
    add("--workers", metavar="N", type=int, help="processes that read events")
    add("--expected-only", action="store_true", help="do not look at observed data")
    add("--confidence-level", metavar="CL", type=float, help="default that of the analysis")
    add("--scan-points", metavar="N", type=int, help="of the drawn CLs scan, default 41; 0: none")
    add(
        "--label",
        metavar="NAME=TEXT",
        nargs="+",
        action="extend",
        help="title of a parameter's axis, with unit",
    )
    add("--draw-each", action="store_true", help="of several signals, draw each one as well")
    add("--no-plots", action="store_true", help="do not draw")
    add("--format", metavar="LIST", help="of figures: pdf, png, svg (default pdf,png)")
    add("--json", metavar="FILE", help="also write the outcome as JSON; - is standard output")
    return parser


def check_options(parser: Parser, options: argparse.Namespace) -> None:
    """Refuse options that do not belong together, before anything is read.

    Raises
    ------
    InputError
        An option is missing, or would have no effect.
    """
    way = "--patch" if options.patch else "the whole"
    if options.step:
        way = f"--step {options.step}"
    common = {"source", "output", "json", "step", "debug"}
    given = {name for name, value in vars(options).items() if value not in (None, False)}
    unused = sorted(given - _TAKEN[way] - common)
    if options.points:
        unused += sorted(given & {*_SIZE, *_FILLING, "point", "theory"} - {"workers"})
    where = f"with {way}" if way != "the whole" else "here"
    if unused:
        reason = " beside --points" if options.points else ""
        parser.error(f"{_option(unused[0])} has no effect {where}{reason}. Leave it out")
    for ways in _NEEDED[way]:
        if not given.intersection(ways):
            parser.error(f"{where}, {' or '.join(map(_option, ways))} is needed")
    if way == "the whole" and options.signal and not options.cross_section:
        parser.error("--cross-section is needed, with its unit, such as '44.9 fb'")
    if options.step == "scaling" and len(options.input) > 1:
        parser.error("--step scaling takes one --input")
    look_of(options)


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def signals_of(options: argparse.Namespace) -> tuple[Signal, ...]:
    """Signals that the options name.

    Raises
    ------
    InputError
        A cross-section without unit, or another word that says nothing.
    """
    from hepflow.reinterpretation.points_file import read_points
    from hepflow.reinterpretation.quantities import cross_section
    from hepflow.reinterpretation.signals import Signal, files_by_year, named_values

    if options.points:
        return read_points(options.points)
    size = options.cross_section
    return (
        Signal(
            name=options.name or "signal",
            files=files_by_year(options.signal),
            cross_section=None if size is None else cross_section(size),
            k_factor=_or_one(options.k_factor),
            filter_efficiency=_or_one(options.filter_efficiency),
            values=named_values(options.point or (), "--point"),
            process=options.process or "",
            sum_of_weights=options.sum_of_weights_from or "auto",
            tree=options.tree,
            branch_map=_pairs(options.branch_map or (), "--branch-map"),
            theory=None if options.theory is None else cross_section(options.theory),
        ),
    )


def size_of(options: argparse.Namespace) -> Size:
    """Cross-section and factors of ``--step scaling``."""
    from hepflow.reinterpretation.quantities import cross_section, luminosity
    from hepflow.reinterpretation.signal_steps import Size

    stated = options.luminosity
    return Size(
        cross_section(options.cross_section),
        _or_one(options.k_factor),
        _or_one(options.filter_efficiency),
        None if stated is None else luminosity(stated),
    )


def limit_settings(options: argparse.Namespace) -> LimitSettings:
    """How limits are found."""
    from hepflow.reinterpretation.settings import LimitSettings

    points = options.scan_points
    return LimitSettings(
        options.confidence_level,
        options.expected_only,
        LimitSettings().scan_points if points is None else points,
    )


def look_of(options: argparse.Namespace) -> Look:
    """Which figures are drawn.

    Raises
    ------
    InputError
        An unknown format, or a label without its parameter.
    """
    from hepflow.reinterpretation.signal_results import Look

    text = options.format or "pdf,png"
    formats = tuple(one.strip() for one in text.split(",") if one.strip())
    if not formats or set(formats) - {"pdf", "png", "svg"}:
        raise InputError(f"--format {text}: expected one or more of pdf, png, svg with commas.")
    labels = _pairs(options.label or (), "--label")
    return Look(not options.no_plots, options.draw_each, formats, labels)


def _or_one(value: float | None) -> float:
    return 1.0 if value is None else value


def _pairs(words: list[str] | tuple[str, ...], option: str) -> dict[str, str]:
    found = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not (name and equals and text):
            raise InputError(f"{option} {word}: expected NAME=TEXT.")
        found[name] = text
    return found
