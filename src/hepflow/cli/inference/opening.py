"""Options that all commands on a statistical model share, and the model that they name."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hepflow.cli.arguments import STATUS_HELP, Parser, use_one_thread
from hepflow.errors import InputError

if TYPE_CHECKING:
    from hepflow.records.inference import Finding
    from hepflow.statistics.likelihood import Floats, Likelihood
    from hepflow.statistics.source import ModelSource

SOURCE_HELP: Final = """\
the model is taken from:
  the output folder of a run              outputs (the default)
  a HistFactory workspace                 workspace.json
  templates as histograms                 histograms.root, histograms.zip: with --signal
  a cabinetry configuration               config.yaml"""
BASE: Final = "inference"  # folder of what the commands write, below the current one


@dataclass(frozen=True)
class Opened:
    """A model that is ready for inference."""

    source: ModelSource
    likelihood: Likelihood
    data: Floats  # shape (n_data,), with auxiliary data
    expected_only: bool  # nothing observed may be used
    findings: tuple[Finding, ...]  # of the audit
    folder: Path  # for JSON and figures
    backend: str
    draws: bool
    json_file: str | None
    formats: tuple[str, ...]

    @property
    def remarks(self) -> tuple[str, ...]:
        """What every table and figure says."""
        return ("expected only: Asimov data",) if self.expected_only else ()


def model_parser(prog: str, description: str) -> Parser:
    """Parser with the options that name a model."""
    parser = Parser(prog=prog, description=description, epilog=f"{SOURCE_HELP}\n\n{STATUS_HELP}")
    add = parser.add_argument
    add("source", nargs="?", default="outputs", metavar="SOURCE", help="the model, see below")
    add("--patch", metavar="FILE[:NAME]", help="JSON patch, or entry of a pyhf patch set, to apply")
    add("--measurement", metavar="NAME", help="of the workspace; default its first")
    add("--poi", metavar="NAME", help="parameter of interest; default the measurement's")
    add("--signal", metavar="PROCESS", action="append", default=[], help="of histograms: signal")
    add("--data", metavar="PROCESS", default="data", help="of histograms: the data (default data)")
    add("--observable", metavar="CHANNEL=NAME", action="append", default=[], help="of histograms")
    add("--expected-only", action="store_true", help="do not look at observed data: Asimov data")
    add("--backend", choices=("hepflow", "pyhf"), default="hepflow", help="who computes (hepflow)")
    add("--ignore-audit", action="store_true", help="go on where the audit found errors")
    add("--output", metavar="DIR", help=f"for JSON and figures; default {BASE}/ and the name")
    add("--no-plots", action="store_true", help="do not draw")
    add("--format", metavar="LIST", default="pdf,png", help="of figures: pdf, png, svg (pdf,png)")
    add("--json", metavar="FILE", help="also write the outcome as JSON; - is standard output")
    return parser


def parse(parser: Parser, arguments: Sequence[str]) -> argparse.Namespace:
    """Parse; whatever is not known is an error."""
    use_one_thread()
    return parser.parse_args(list(arguments))


def open_model(options: argparse.Namespace) -> Opened:
    """Read the model that the options name, audit it, and prepare its likelihood.

    Raises
    ------
    InputError
        There is no such model.
    AuditError
        The audit found errors, and is not to be ignored.
    """
    from hepflow.logging import setup_logging
    from hepflow.statistics.source import read_source

    setup_logging("WARNING")
    source = read_source(
        options.source,
        patch=options.patch,
        signal=options.signal,
        data=options.data,
        observables=observables_of(options.observable),
    )
    likelihood, data = _likelihood(source.workspace, options)
    expected_only = options.expected_only or source.expected_only
    if expected_only:
        data = likelihood.expected_data(likelihood.nominal())
    folder = Path(options.output) if options.output else Path(BASE) / _name(source)
    return Opened(
        source=source,
        likelihood=likelihood,
        data=data,
        expected_only=expected_only,
        findings=_audited(source, options),
        folder=folder,
        backend=options.backend,
        draws=not options.no_plots,
        json_file=options.json,
        formats=_formats(options.format),
    )


def _likelihood(
    workspace: Mapping[str, Any], options: argparse.Namespace
) -> tuple[Likelihood, Floats]:
    from hepflow.statistics.loading import load_likelihood

    return load_likelihood(
        workspace, measurement=options.measurement, poi=options.poi, backend=options.backend
    )


def _audited(source: ModelSource, options: argparse.Namespace) -> tuple[Finding, ...]:
    """Findings of the audit; those of a run were made with what its configuration accepts."""
    from hepflow.records.inference import Finding
    from hepflow.statistics.audit import (
        audit,
        audit_workspace,
        of_file,
        require_clean,
        without_data,
    )
    from hepflow.statistics.source import HISTOGRAMS
    from hepflow.storage import read_json

    observed = not (options.expected_only or source.expected_only)
    stored = source.run / "statistics" / "audit.json" if source.run else None
    if stored is not None and stored.is_file() and not options.patch:
        found = tuple(Finding.from_json(one) for one in read_json(stored, "a run"))
    elif source.path.suffix.lower() in HISTOGRAMS and not options.patch:
        chosen = observables_of(options.observable)
        found = audit(of_file(source.path, data=options.data, observables=chosen))
    else:
        found = audit_workspace(source.workspace, observed=observed)
    found = found if observed else without_data(found)
    require_clean(found, ignore=options.ignore_audit)
    return found


def observables_of(words: Sequence[str]) -> dict[str, str]:
    """Observable by channel, from the words of ``--observable``.

    Raises
    ------
    InputError
        One is not ``CHANNEL=NAME``.
    """
    found = {}
    for word in words:
        channel, equals, name = word.partition("=")
        if not (channel and equals and name):
            raise InputError(f"--observable {word}: expected CHANNEL=NAME, such as SR=mass.")
        found[channel] = name
    return found


def _formats(text: str) -> tuple[str, ...]:
    chosen = tuple(part.strip() for part in text.split(",") if part.strip())
    wrong = [one for one in chosen if one not in {"pdf", "png", "svg"}]
    if wrong or not chosen:
        raise InputError(f"--format {text}: expected one or more of pdf, png, svg with commas.")
    return chosen


def _name(source: ModelSource) -> str:
    return source.path.resolve().name if source.run else source.path.stem
