"""``hepflow interpret``: a scaled signal histogram against archived data and background."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hepflow.cli.arguments import STATUS_HELP, Parser
from hepflow.cli.output import show
from hepflow.errors import InputError

if TYPE_CHECKING:
    from hepflow.cli.endings import Guard
    from hepflow.reinterpretation.interpretation import Archive, Interpretation

_DESCRIPTION: Final = """\
Compare a signal with archived data and background, find the limit on its strength, and draw
the spectrum and the CLs scan. The signal must be scaled already (`hepflow scale`): nothing is
scaled here."""
_DRAWN: Final = (".png", ".pdf", ".svg")


def main(arguments: Sequence[str], guard: Guard, prog: str) -> int:  # noqa: ARG001 - all commands are called alike
    """Run the command; exit status."""
    options = _parser(prog).parse_args(list(arguments))
    for name in ("outputfile", "plotfile"):
        path = Path(getattr(options, name))
        if path.suffix.lower() not in _DRAWN:
            raise InputError(f"--{name} {path}: expected a picture, {', '.join(_DRAWN)}.")

    from hepflow.logging import setup_logging
    from hepflow.reinterpretation.interpretation import BackgroundUncertainty, interpret
    from hepflow.reinterpretation.spectra import read_spectrum
    from hepflow.storage import write_json

    setup_logging("WARNING")
    uncertainty = BackgroundUncertainty.read(options.background_uncertainty)
    archive = _archive(options)
    signal = read_spectrum(options.filesig, options.histsig)
    found = interpret(
        archive,
        signal,
        uncertainty=uncertainty,
        confidence_level=options.confidence_level,
        expected_only=options.expected_only,
    )
    results = Path(options.limitfile or Path(options.outputfile).with_name("limit.json"))
    results.parent.mkdir(parents=True, exist_ok=True)
    content = {**found.limit.to_json(), "warnings": list(found.warnings)}
    write_json(results, content, sort_keys=False)
    if options.workspace:
        write_json(Path(options.workspace), found.workspace)
    _draw(found, archive, options)
    show(_lines(found, options, results), content, options.json)
    return 0


def _parser(prog: str) -> Parser:
    parser = Parser(prog=prog, description=_DESCRIPTION, epilog=STATUS_HELP)
    add = parser.add_argument
    for short, what in (("data", "data"), ("bkg", "background"), ("sig", "scaled signal")):
        add(f"--file{short}", metavar="FILE", required=True, help=f"ROOT file of the {what}")
        add(f"--hist{short}", metavar="NAME", required=True, help=f"histogram of the {what}")
    add("--outputfile", metavar="FILE", required=True, help="picture of the CLs scan")
    add("--plotfile", metavar="FILE", required=True, help="picture of the spectrum")
    add("--limitfile", metavar="FILE", help="default limit.json beside the CLs scan")
    add("--workspace", metavar="FILE", help="also write the HistFactory workspace")
    add(
        "--background-uncertainty",
        metavar="MODEL",
        default="statistical",
        help="none, statistical (default) or relative:SIZE such as relative:0.1",
    )
    add("--archive-luminosity", metavar="SIZE", help="of data and background, such as '140.1 /fb'")
    add("--confidence-level", metavar="CL", type=float, default=0.95, help="default 0.95")
    add("--expected-only", action="store_true", help="do not look at the data")
    add("--json", metavar="FILE", help="also write the outcome as JSON; - is standard output")
    return parser


def _archive(options: argparse.Namespace) -> Archive:
    from hepflow.reinterpretation.interpretation import Archive
    from hepflow.reinterpretation.quantities import luminosity
    from hepflow.reinterpretation.spectra import read_spectrum

    stated = options.archive_luminosity
    return Archive(
        data=read_spectrum(options.filedata, options.histdata),
        background=read_spectrum(options.filebkg, options.histbkg),
        luminosity=luminosity(stated) if stated else None,
    )


def _draw(found: Interpretation, archive: Archive, options: argparse.Namespace) -> None:
    from hepflow.plotting import (
        FigureTask,
        PlottingSpec,
        draw_tasks,
        prediction_numbers,
    )

    channel = found.prediction.channels[0]
    lumi = archive.luminosity or archive.data.note.get("luminosity")
    tasks = []
    for name, content in (("plotfile", None), ("outputfile", found.limit)):
        path = Path(getattr(options, name))
        look = PlottingSpec(
            processes=("background", "signal"),
            signals=("signal",),
            labels={"background": "Background", "signal": "Signal"},
            channel_labels={channel.name: ""},
            luminosity=lumi,
            signal_scale=1.0,
            formats=(path.suffix.lower().removeprefix("."),),
        )
        shown = content or prediction_numbers(channel, look, "")
        tasks.append(FigureTask(shown, look, path.parent, path.stem, ()))
    draw_tasks(tasks)


def _lines(
    found: Interpretation, options: argparse.Namespace, results: Path
) -> list[tuple[str, str]]:
    limit = found.limit
    low, median, high = limit.expected[1:4]
    observed = "not given" if limit.observed is None else f"{limit.observed:.4g}"
    return [
        ("Upper limit on the signal strength", f"observed {observed}"),
        ("", f"expected {median:.4g} (68 %: {low:.4g} to {high:.4g})"),
        ("Background uncertainty", str(limit.model["background_uncertainty"])),
        *(("Warning", warning) for warning in found.warnings),
        ("CLs scan", options.outputfile),
        ("Spectrum", options.plotfile),
        ("Results", str(results)),
    ]
