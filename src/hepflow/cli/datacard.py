"""``hepflow datacard``: datacards of Combine from and to workspaces."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hepflow.cli.arguments import STATUS_HELP, Parser
from hepflow.cli.output import show
from hepflow.errors import InputError

if TYPE_CHECKING:
    import argparse

    from hepflow.cli.endings import Guard
    from hepflow.statistics.datacards import Approximation

_ACTIONS: Final = ("export", "import")
_DESCRIPTION: Final = """\
Write a workspace, or that of a run, as a datacard of Combine with its ROOT file (export), or read
a datacard of counts or histograms as a workspace (import). What one of both formats cannot say
exactly is listed, with its size where it is known; what it cannot say at all is an error."""
_OWN: Final = {  # option -> the action that it belongs to, and its default
    "measurement": ("export", None),
    "mass": ("import", 125.0),
    "poi": ("import", "r"),
    "bounds": ("import", "0,20"),
}


def main(arguments: Sequence[str], guard: Guard, prog: str) -> int:  # noqa: ARG001 - all commands are called alike
    """Run the command; exit status."""
    options = _parsed(arguments, prog)
    return _export(options) if options.action == "export" else _import(options)


def _parsed(arguments: Sequence[str], prog: str) -> argparse.Namespace:
    parser = Parser(prog=prog, description=_DESCRIPTION, epilog=STATUS_HELP)
    add = parser.add_argument
    add("action", choices=_ACTIONS, metavar="{export,import}", help="what to do")
    add("source", metavar="SOURCE", help="workspace or folder of a run; or the card")
    add("--output", metavar="PATH", required=True, help="folder of the card; or the workspace")
    add("--measurement", metavar="NAME", help="export: measurement of the workspace (the first)")
    add("--groups", metavar="FILE", help="groups of parameters as JSON: export reads them (those "
        "of the run), import writes them")  # fmt: skip
    add("--mass", metavar="GEV", type=float, help="import: in the place of $MASS (125)")
    add("--poi", metavar="NAME", help="import: name of the signal strength (r)")
    add("--bounds", metavar="LOW,HIGH", help="import: range of the signal strength (0,20)")
    add("--json", metavar="FILE", help="also write a summary as JSON; - is standard output")
    options = parser.parse_args(list(arguments))
    for name, (action, default) in _OWN.items():
        if getattr(options, name) is None:
            setattr(options, name, default)
        elif options.action != action:
            parser.error(f"--{name} belongs to `datacard {action}`")
    return options


def _export(options: argparse.Namespace) -> int:
    from hepflow.statistics.datacards import export_card, write_card
    from hepflow.statistics.source import read_source

    source = read_source(options.source)
    groups = source.groups if options.groups is None else _read_groups(Path(options.groups))
    exported = export_card(source.workspace, groups=groups, measurement=options.measurement)
    files = [str(path) for path in write_card(exported, options.output)]
    card = exported.card
    lines = [
        ("Card", files[0]),
        ("Histograms", files[1] if files[1:] else "none: all channels are counts"),
        ("POI", f"{exported.poi}, which Combine calls r"),
        ("Channels", str(len(card.observed))),
        ("Nuisances", str(len(card.nuisances))),
        *((old, f"is {new} in the card") for new, old in exported.renamed.items()),
    ]
    if source.expected_only:
        lines.append(("Attention", "the observations are Asimov data: nothing is observed"))
    content = {
        "files": files,
        **exported.to_json(),
        "groups": {name: list(members) for name, members in card.groups.items()},
        "asimov": source.expected_only,
    }
    _show(lines, exported.approximations, content, options.json)
    return 0


def _read_groups(path: Path) -> dict[str, list[str]]:
    from hepflow.storage import read_json

    found = read_json(path, "the author of the groups")
    if not isinstance(found, dict) or not all(isinstance(one, list) for one in found.values()):
        raise InputError(f"{path}: expected groups as {{name: [parameters]}}.")
    return {str(name): [str(one) for one in members] for name, members in found.items()}


def _import(options: argparse.Namespace) -> int:
    from hepflow.statistics.datacards import import_card
    from hepflow.storage import write_json

    imported = import_card(
        options.source, poi=options.poi, bounds=_bounds(options.bounds), mass=options.mass
    )
    write_json(Path(options.output), imported.workspace, sort_keys=False)
    if options.groups:
        write_json(Path(options.groups), dict(imported.groups))
    channels = imported.workspace["channels"]
    sidebands = [one["name"] for one in channels if one["name"].endswith("_sideband")]
    lines = [
        ("Workspace", options.output),
        ("POI", options.poi),
        ("Channels", str(len(channels))),
    ]
    if sidebands:
        lines.append(("Sidebands", f"{', '.join(sidebands)} (of gmN)"))
    content = {"output": options.output, "poi": options.poi, **imported.to_json()}
    _show(lines, imported.approximations, content, options.json)
    return 0


def _bounds(text: str) -> tuple[float, float]:
    low, _, high = text.partition(",")
    try:
        found = float(low), float(high)
    except ValueError:
        raise InputError(f"--bounds {text!r} cannot be read. Expected LOW,HIGH.") from None
    if not found[0] < found[1]:
        raise InputError(f"--bounds {text!r}: the first number must be the lower one.")
    return found


def _show(
    lines: list[tuple[str, str]],
    approximations: Sequence[Approximation],
    content: Any,
    json_file: str | None,
) -> None:
    told = [("Differs", str(one)) for one in approximations]
    show([*lines, *(told or [("Differs", "nothing: both say the same")])], content, json_file)
