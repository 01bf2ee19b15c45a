"""What `hepflow sbi` says of its results: tables for people, and the same as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hepflow.cli.endings import say
from hepflow.cli.output import show

if TYPE_CHECKING:
    from hepflow.inference.workflow.running import Finished


def tell(finished: Finished, json_file: str | None) -> None:
    """Show tables and lines, and write JSON where a file is named."""
    parts = finished.parts
    methods = parts.results.methods if parts.results else {}
    if json_file != "-":
        if parts.physics:
            _show_events(parts.physics.summary)
        if methods:
            _show_limits(methods)
            _show_accuracy(methods)
            _show_information(methods)
            _show_closure(methods)
    show(list(_lines(finished)), contents(finished), json_file)
    for problem in finished.problems:
        say(f"not a success: {problem}")


def contents(finished: Finished) -> dict[str, Any]:
    """The outcome as plain values."""
    parts = finished.parts
    methods = parts.results.methods if parts.results else {}
    return {
        "exit_status": finished.exit_status,
        "problems": list(finished.problems),
        "action": finished.action,
        "output_dir": str(finished.output_dir.resolve()),
        "events": dict(parts.physics.summary) if parts.physics else None,
        "methods": {name: _method(one) for name, one in methods.items()},
        "figures": [str(path) for path in parts.figures],
        "stages": [
            {"name": one.name, "outcome": one.outcome, "why": one.why} for one in finished.stages
        ],
        "report": str(finished.report.resolve()) if finished.report else None,
        "wall_seconds": round(finished.wall_seconds, 1),
        "cpu_seconds": round(finished.cpu_seconds, 1),
    }


def _method(one: Mapping[str, Any]) -> dict[str, Any]:
    limits = one["limits"]
    return {
        "bestfit": dict(zip(limits["fit"]["labels"], limits["fit"]["bestfit"], strict=True)),
        "uncertainty": dict(
            zip(limits["fit"]["labels"], limits["fit"]["uncertainty"], strict=True)
        ),
        "converged": limits["fit"]["converged"],
        "intervals": limits["fit"]["intervals"],
        "regions": [
            {name: value for name, value in region.items() if name != "critical"}
            for region in limits["regions"]
        ],
        "accuracy": one.get("accuracy") or None,
        "coverage": one.get("coverage", []),
    }


def _show_events(summary: Mapping[str, Any]) -> None:
    from hepflow.logging import print_table

    names = [one["name"] for one in summary["parameters"]]
    columns = ("benchmark", *names, "generated", "cross-section [pb]", "effective events")
    rows = [
        (
            one["name"],
            *(f"{value:g}" for value in one["values"]),
            f"{one['events_generated']:,}",
            f"{one['cross_section']:.5g}",
            f"{one['effective_events']:,.0f}",
        )
        for one in summary["benchmarks"]
    ]
    caption = f"{summary['events']:,} of {summary['events_generated']:,} events pass the cuts"
    print_table("Events", columns, rows, right=columns[1:], caption=caption)


def _show_limits(methods: Mapping[str, Mapping[str, Any]]) -> None:
    from hepflow.logging import print_table

    rows = []
    for name, one in methods.items():
        fit = one["limits"]["fit"]
        for interval in fit["intervals"]:
            level = f"{100 * interval['confidence_level']:.3g} %"
            ends = (_end(interval["low"]), _end(interval["high"]))
            best = f"{interval['bestfit']:.4g}"
            rows.append((name, interval["parameter"], best, level, *ends))
    columns = ("method", "parameter", "best fit", "level", "from", "to")
    caption = "intervals of one parameter, the others profiled"
    print_table("Limits", columns, rows, right=columns[2:], caption=caption)
    _show_regions(methods)


def _show_regions(methods: Mapping[str, Mapping[str, Any]]) -> None:
    from hepflow.logging import print_table

    rows = [
        (
            name,
            f"{100 * region['confidence_level']:.3g} %",
            region["calculator"],
            ", ".join(
                f"{parameter} {_end(low)} to {_end(high)}"
                for parameter, (low, high) in zip(region["parameters"], region["ends"], strict=True)
            ),
            f"{region['area']:.4g}",
        )
        for name, one in methods.items()
        for region in one["limits"]["regions"]
    ]
    columns = ("method", "level", "calculator", "extent", "area")
    print_table("Regions in all parameters at once", columns, rows, right=("level", "area"))


def _end(value: float | None) -> str:
    return "beyond its range" if value is None else f"{value:.4g}"


def _show_accuracy(methods: Mapping[str, Mapping[str, Any]]) -> None:
    rows = []
    for name, one in methods.items():
        accuracy = one.get("accuracy") or {}
        if "log_ratio" in accuracy:
            rows.append((name, "log ratio", f"{100 * accuracy['log_ratio']:.3g} %"))
        for parameter, error in accuracy.get("score", {}).items():
            rows.append((name, f"score in {parameter}", f"{100 * error:.3g} %"))
    if rows:
        from hepflow.logging import print_table

        columns = ("method", "estimate", "error")
        caption = "mean squared error over variance, against the exact likelihood"
        print_table("Accuracy", columns, rows, right=("error",), caption=caption)


def _show_information(methods: Mapping[str, Mapping[str, Any]]) -> None:
    found = [(name, info) for name, one in methods.items() for info in one.get("information", ())]
    if not found:
        return
    from hepflow.logging import print_table

    names = found[0][1]["parameters"]
    pairs = [(i, j) for i in range(len(names)) for j in range(i, len(names))]
    columns = ("from", "of", *(f"{names[i]}, {names[j]}" for i, j in pairs))
    rows = [
        (name, info["kind"], *(f"{info['matrix'][i][j]:.4g}" for i, j in pairs))
        for name, info in found
    ]
    caption = "latent: of hidden variables, which no analysis reaches"
    print_table("Fisher information", columns, rows, right=columns[2:], caption=caption)


def _show_closure(methods: Mapping[str, Mapping[str, Any]]) -> None:
    rows = [
        (
            name,
            f"{check['name']} at ({', '.join(f'{value:g}' for value in check['theta'])})",
            f"{check['mean']:.4f} +- {check['uncertainty']:.4f}",
            f"{check['expected']:g}",
        )
        for name, one in methods.items()
        for check in one.get("closure", ())
    ]
    if rows:
        from hepflow.logging import print_table

        columns = ("method", "what", "found", "expected")
        print_table("Closure", columns, rows, right=columns[2:])


def _lines(finished: Finished) -> Iterator[tuple[str, str]]:
    parts = finished.parts
    for one in finished.stages:
        yield one.name.capitalize(), f"{one.outcome} ({one.why})"
    if parts.physics:
        yield "Event file", str(parts.physics.events)
    if parts.figures:
        yield "Figures", f"{len(parts.figures)} files in {parts.figures[0].parent}"
    if finished.report:
        yield "Report", str(finished.report)
    yield "Time", _times(finished.wall_seconds, finished.cpu_seconds, parts.seconds)


def _times(wall: float, cpu: float, seconds: Mapping[str, float]) -> str:
    each: Sequence[str] = [f"{name} {value:.1f} s" for name, value in seconds.items()]
    return f"{wall:.1f} s ({', '.join(each)}), CPU {cpu:.1f} s"
