"""``hepflow reinterpret``: a preserved analysis, or a published workspace, meets a new signal."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hepflow.cli.arguments import STATUS_HELP, Parser, use_one_thread
from hepflow.cli.output import show
from hepflow.cli.reinterpret_options import (
    check_options,
    limit_settings,
    look_of,
    signals_of,
    size_of,
    step_parser,
)

if TYPE_CHECKING:
    from hepflow.cli.endings import Guard
    from hepflow.reinterpretation.reinterpreting import Reinterpretation

_DESCRIPTION: Final = """\
Skim and histogram a new signal with the selection and corrections of a preserved analysis, put
it in the place of the preserved signal, and find the limit on it. Only the files of the signal
are read. With --patch, SOURCE is a published background-only workspace and its signals are
patches."""
_STEPS_HELP: Final = """\
single steps, for workflows; the three in sequence give what the whole command gives:
  --step skimming        --signal FILE ... --output raw.root
  --step scaling         --input raw.root --cross-section SIZE --output scaled.root
  --step interpretation  --input scaled.root ... --output DIR"""


def main(arguments: Sequence[str], guard: Guard, prog: str) -> int:  # noqa: ARG001 - all commands are called alike
    """Run the command; exit status."""
    use_one_thread()
    parser = Parser(prog=prog, description=_DESCRIPTION, epilog=f"{_STEPS_HELP}\n\n{STATUS_HELP}")
    options = step_parser(parser).parse_args(list(arguments))
    check_options(parser, options)

    from hepflow.logging import setup_logging

    setup_logging("WARNING")
    if options.patch:
        return _workspace(options)
    return {None: _whole, "skimming": _skim, "scaling": _scale, "interpretation": _interpret}[
        options.step
    ](options)


def _trust(options: argparse.Namespace) -> dict[str, Any]:
    return {"trusted": options.trust, "digest": options.digest}


def _whole(options: argparse.Namespace) -> int:
    from hepflow.reinterpretation.reinterpreting import reinterpret

    found = reinterpret(
        options.source,
        signals_of(options),
        options.output,
        settings=limit_settings(options),
        look=look_of(options),
        workers=options.workers,
        **_trust(options),
    )
    return _tell(found, options)


def _skim(options: argparse.Namespace) -> int:
    from hepflow.reinterpretation.signal_steps import skim_signal

    (signal,) = signals_of(options)
    filled = skim_signal(
        options.source, signal, options.output, workers=options.workers, **_trust(options)
    )
    sums = filled.sums_of_weights
    lines = [
        *((f"Sum of weights of {key}", f"{value:.8g}") for key, value in sums.items()),
        ("Written to", options.output),
    ]
    accounts = [one.to_json() for one in filled.raw.ledger.accounts()]
    show(lines, {"sum_of_weights": sums, "input": accounts, "file": options.output}, options.json)
    return 0


def _scale(options: argparse.Namespace) -> int:
    from hepflow.reinterpretation.signal_steps import scale_signal

    size, trust = size_of(options), _trust(options)
    factors = scale_signal(options.source, options.input[0], size, options.output, **trust)
    lines = [
        *((f"Factor of {key}", f"{one['factor']:.8g}") for key, one in factors.items()),
        ("Written to", options.output),
    ]
    show(lines, {"scale": factors, "file": options.output}, options.json)
    return 0


def _interpret(options: argparse.Namespace) -> int:
    from hepflow.reinterpretation.signal_steps import interpret_signals
    from hepflow.reinterpretation.signals import named_values

    found = interpret_signals(
        options.source,
        options.input,
        options.output,
        values=named_values(options.point or (), "--point"),
        settings=limit_settings(options),
        look=look_of(options),
        **_trust(options),
    )
    return _tell(found, options)


def _workspace(options: argparse.Namespace) -> int:
    from hepflow.reinterpretation.reinterpreting import reinterpret_workspace

    found = reinterpret_workspace(
        options.source,
        options.patch,
        options.output,
        settings=limit_settings(options),
        look=look_of(options),
    )
    return _tell(found, options)


def _tell(found: Reinterpretation, options: argparse.Namespace) -> int:
    from hepflow.storage import read_json

    first = found.points[0].limit
    lines = [(f"Upper limits on {first.poi}", f"{100 * first.confidence_level:g} % CL")]
    for one in found.points:
        low, median, high = one.limit.expected[1:4]
        seen = one.limit.observed
        observed = "" if seen is None else f"observed {seen:.4g}, "
        lines.append((one.name, f"{observed}expected {median:.4g} (68 %: {low:.4g} to {high:.4g})"))
    summary = read_json(Path(options.output) / "points.json", "this command")
    lines += list(_excluded(summary))
    lines += [("Note" if i == 0 else "", one) for i, one in enumerate(summary["remarks"])]
    lines.append(("Written to", str(found.output)))
    show(lines, {**summary, "files": [str(one) for one in found.files]}, options.json)
    return 0


def _excluded(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """Ranges of the parameter that are excluded, where the signals have one."""
    exclusion = summary["exclusion"] or {}
    told = (("Excluded", "excluded"), ("Expected exclusion", "expected_to_be_excluded"))
    return [
        (label, ", ".join(f"{low:.5g} to {high:.5g}" for low, high in exclusion[key]) or "nothing")
        for label, key in told
        if key in exclusion
    ]
