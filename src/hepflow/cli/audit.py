"""``hepflow audit``: what is odd about the templates of a fit."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hepflow.cli.arguments import Parser
from hepflow.cli.inference.opening import observables_of
from hepflow.cli.output import show
from hepflow.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from hepflow.cli.endings import Guard
    from hepflow.records.inference import Finding

_DESCRIPTION: Final = """\
Look at the templates of a fit: variations that are missing, equal, one-sided or too large, spikes,
bins that are empty or negative, simulated events that are too few, content that is not finite."""
_EPILOG: Final = """\
what is looked at:
  the output folder of a run   outputs (the default): its histograms, with the thresholds and
                               accepted findings of statistics.audit in its configuration
  a HistFactory workspace      workspace.json
  templates as histograms      histograms.root, histograms.zip

exit status:
  0 no error among the findings, 1 there are errors, 2 wrong input, 130 interrupted"""
_SHOWN: Final = 30  # findings of one severity in a table
_HISTOGRAMS: Final = (".root", ".zip")


def main(arguments: Sequence[str], guard: Guard, prog: str) -> int:  # noqa: ARG001 - all commands are called alike
    """Run the command; exit status."""
    options = _parser(prog).parse_args(list(arguments))

    from hepflow.logging import setup_logging
    from hepflow.statistics.audit import Acceptance, accept, errors_of, in_order

    setup_logging("WARNING")
    ignored = tuple(Acceptance(code, reason="--ignore.") for code in _codes(options.ignore))
    found, told = _findings(Path(options.source), options)
    findings = in_order(accept(found, ignored))
    if options.json != "-":
        _show_tables(findings, every=options.all)
    errors = errors_of(findings)
    show(_lines(told, findings), _content(options.source, findings), options.json)
    return 1 if errors else 0


def _parser(prog: str) -> Parser:
    parser = Parser(prog=prog, description=_DESCRIPTION, epilog=_EPILOG)
    add = parser.add_argument
    add("source", nargs="?", default="outputs", metavar="SOURCE", help="what to look at, see below")
    add("--patch", metavar="FILE[:NAME]", help="JSON patch, or entry of a pyhf patch set, to apply")
    add("--data", metavar="PROCESS", default="data", help="of histograms: the data (default data)")
    add("--observable", metavar="CHANNEL=NAME", action="append", default=[], help="of histograms")
    add("--ignore", metavar="CODE", action="append", default=[], help="accept this kind of finding")
    add("--all", action="store_true", help=f"show all findings, not only {_SHOWN} of a kind")
    add("--json", metavar="FILE", help="also write the findings as JSON; - is standard output")
    return parser


def _codes(words: Sequence[str]) -> Sequence[str]:
    from hepflow.statistics.audit import CODES

    for word in words:
        if word not in CODES:
            raise InputError(
                f"--ignore {word}: there is no such code. {did_you_mean(word, CODES, many=20)}"
            )
    return words


def _findings(source: Path, options: argparse.Namespace) -> tuple[Sequence[Finding], str]:
    """Findings, and what was looked at."""
    from hepflow.cli.last_run import run_of
    from hepflow.statistics.audit import audit, of_file
    from hepflow.statistics.source import WORKSPACE

    if not source.exists():
        raise InputError(
            f"{source} does not exist. Expected the folder of a run, a workspace (.json) or "
            "histograms (.root, .zip)."
        )
    if source.suffix.lower() in _HISTOGRAMS and source.is_file():
        if options.patch:
            raise InputError(f"--patch is for workspaces; {source} holds histograms.")
        templates = of_file(
            source, data=options.data, observables=observables_of(options.observable)
        )
        return audit(templates), f"the histograms of {source}"
    if not source.is_dir():
        return _of_workspace(source, options.patch), f"the workspace {source}"
    last = None if options.patch else run_of([str(source)])
    if last is not None and last.config:
        found = _of_run(source, last.config, last.overrides)
        if found is not None:
            return found, f"the histograms of {source}, with the configuration of the run"
    if not (source / WORKSPACE).is_file():
        raise InputError(
            f"{source} holds no {WORKSPACE}: no run with statistics has written there. Name the "
            "output folder of such a run, a workspace, or a file of histograms."
        )
    return _of_workspace(source / WORKSPACE, options.patch), f"the workspace {source / WORKSPACE}"


def _of_workspace(path: Path, patch: str | None) -> Sequence[Finding]:
    from hepflow.statistics.audit import audit_workspace
    from hepflow.statistics.source import read_workspace

    return audit_workspace(read_workspace(path, patch))


def _of_run(folder: Path, config_name: str, overrides: Sequence[str]) -> Sequence[Finding] | None:
    """Findings with the configuration of the run; None where the model is not generated from it."""
    from hepflow.cli.references import find_modules_here, load_config
    from hepflow.histograms import LOSSLESS_FILE, read_histograms
    from hepflow.statistics import StatisticsSpec, config_path, uses_own
    from hepflow.statistics.audit import audit_run

    find_modules_here()
    config = load_config(config_name, list(overrides))
    spec = StatisticsSpec.from_config(config)
    if uses_own(spec, config_path(spec, folder / "statistics")):
        return None
    histograms = read_histograms(folder / "histograms" / LOSSLESS_FILE)
    return audit_run(histograms, spec, config)


def _show_tables(findings: Sequence[Finding], *, every: bool) -> None:
    """One table for each code and severity, and below each what to do."""
    from hepflow.logging import print_table
    from hepflow.statistics.audit import CODES, what_of

    kinds = dict.fromkeys((one.severity, one.code) for one in findings)
    for severity, code in kinds:
        chosen = [one for one in findings if (one.severity, one.code) == (severity, code)]
        shown = chosen if every else chosen[:_SHOWN]
        remedy = CODES[code].remedy
        rows = [(one.region, one.sample, one.systematic, what_of(one)) for one in shown]
        more = f"and {len(chosen) - len(shown)} more: --all shows them. " if chosen[_SHOWN:] else ""
        print_table(
            f"{severity.capitalize()}: {code} ({len(chosen)})",
            ("region", "sample", "systematic", "what was found"),
            rows,
            caption=f"{more if not every else ''}{'' if severity == 'accepted' else remedy}",
        )


def _counts(findings: Sequence[Finding]) -> dict[str, int]:
    from hepflow.statistics.audit import SEVERITIES

    return {name: sum(one.severity == name for one in findings) for name in SEVERITIES}


def _lines(told: str, findings: Sequence[Finding]) -> list[tuple[str, str]]:
    counts = _counts(findings)
    parts = [
        f"{number} {name if number == 1 or name == 'accepted' else f'{name}s'}"
        for name, number in counts.items()
        if number
    ]
    lines = [("Looked at", told), ("Found", ", ".join(parts) or "nothing")]
    if counts["error"]:
        text = "a fit stops here. Mend the templates, or accept what is meant to be so"
        lines.append(("Next", f"{text} (statistics.audit.accepted, --ignore CODE)"))
    return lines


def _content(source: str, findings: Sequence[Finding]) -> Mapping[str, Any]:
    counts = _counts(findings)
    return {
        "source": source,
        "errors": counts["error"],
        "warnings": counts["warning"],
        "accepted": counts["accepted"],
        "findings": [one.to_json() for one in findings],
    }
