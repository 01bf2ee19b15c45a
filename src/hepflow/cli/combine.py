"""``hepflow combine``: one statistical model of several analyses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hepflow.cli.arguments import STATUS_HELP, Parser
from hepflow.cli.output import show
from hepflow.errors import InputError

if TYPE_CHECKING:
    import argparse

    from hepflow.cli.endings import Guard
    from hepflow.statistics.combination import Combination
    from hepflow.statistics.combination_parts import Naming
    from hepflow.statistics.source import ModelSource

_DESCRIPTION: Final = """\
Combine analyses that have no event in common. Parameters of one name are one parameter in all of
them; kind, auxiliary measurement and range must agree. Each ANALYSIS is a workspace or the folder
of a run, and is called NAME, or else like its file or folder."""


def main(arguments: Sequence[str], guard: Guard, prog: str) -> int:  # noqa: ARG001 - all commands are called alike
    """Run the command; exit status."""
    options = _parsed(arguments, prog)
    from hepflow.statistics.combination import combine
    from hepflow.statistics.source import read_source
    from hepflow.storage import write_json

    paths = _analyses(options.analyses)
    sources = {label: read_source(path) for label, path in paths.items()}
    measurement = _measurements(options.measurement, paths)
    found = combine(
        {label: one.workspace for label, one in sources.items()},
        naming=_naming(options),
        poi=options.poi,
        measurements=measurement,
        prefer=options.prefer,
    )
    write_json(Path(options.output), found.workspace, sort_keys=False)
    groups = _groups(sources, found)
    if options.groups:
        write_json(Path(options.groups), groups)
    if options.json != "-":
        _show_parameters(found)
    asimov = [label for label, one in sources.items() if one.expected_only]
    content = {"output": options.output, **found.to_json(), "groups": groups, "asimov": asimov}
    show(_lines(options.output, found, asimov), content, options.json)
    return 0


def _parsed(arguments: Sequence[str], prog: str) -> argparse.Namespace:
    parser = Parser(prog=prog, description=_DESCRIPTION, epilog=STATUS_HELP)
    add = parser.add_argument
    add("analyses", nargs="+", metavar="[NAME=]ANALYSIS", help="workspace or folder of a run")
    add("--output", metavar="FILE", required=True, help="combined workspace")
    add("--poi", metavar="NAME", help="parameter of interest (that of the analyses)")
    several: dict[str, Any] = {"action": "append", "default": []}
    add(
        "--measurement",
        metavar="[ANALYSIS:]NAME",
        help="measurement to take, of all or of one analysis (the first)",
        **several,
    )
    add(
        "--prefix",
        metavar="TEXT=ANALYSIS",
        help="channels of this analysis, and the parameters of their templates, begin with TEXT_",
        **several,
    )
    add(
        "--uncorrelate",
        metavar="PATTERN",
        help="these parameters are each analysis' own, which is appended to their names",
        **several,
    )
    add(
        "--correlate",
        metavar="NEW=ANALYSIS:NAME,...",
        help="parameters of different names are one; of one analysis alone: another name",
        **several,
    )
    add("--prefer", metavar="ANALYSIS", help="whose starts and ranges count where they differ")
    add("--groups", metavar="FILE", help="write the groups of parameters of the runs")
    add("--json", metavar="FILE", help="also write a summary as JSON; - is standard output")
    return parser.parse_args(list(arguments))


def _analyses(words: Sequence[str]) -> dict[str, Path]:
    """File or folder by the name of the analysis."""
    found: dict[str, Path] = {}
    for word in words:
        name, equals, rest = word.partition("=")
        named = bool(equals and name) and not Path(word).exists()
        path = Path(rest if named else word)
        label = name if named else _label(path)
        if label in found:
            raise InputError(
                f"{found[label]} and {path} are both called {label!r}. Name them, as in "
                f"first={found[label]} second={path}."
            )
        found[label] = path
    if len(found) < 2:  # noqa: PLR2004 - the smallest number that can be combined
        raise InputError("a combination needs two analyses or more. Name their files or folders.")
    return found


def _label(path: Path) -> str:
    """Name of an analysis after its file; of a run after the folder."""
    path = path.resolve()
    if path.parent.name == "statistics" and path.stem == "workspace":
        return path.parent.parent.name
    return path.name if path.is_dir() else path.stem


def _pairs(words: Sequence[str], option: str, expected: str) -> Iterable[tuple[str, str]]:
    for word in words:
        left, equals, right = word.partition("=")
        if not (left and equals and right):
            raise InputError(f"{option} {word!r} cannot be read. Expected {expected}.")
        yield left, right


def _naming(options: argparse.Namespace) -> Naming:
    from hepflow.statistics.combination_parts import Naming

    expected = "NEW=ANALYSIS:NAME,ANALYSIS:NAME"
    prefixes: dict[str, str] = {}
    for text, label in _pairs(options.prefix, "--prefix", "TEXT=ANALYSIS"):
        if label in prefixes:
            raise InputError(f"--prefix gives {label!r} two prefixes. Choose one.")
        prefixes[label] = text
    joined: dict[str, dict[str, str]] = {}
    for new, members in _pairs(options.correlate, "--correlate", expected):
        for member in members.split(","):
            label, colon, name = member.partition(":")
            if not (label and colon and name):
                raise InputError(f"--correlate {member!r} cannot be read. Expected {expected}.")
            if joined.setdefault(new, {}).setdefault(label, name) != name:
                raise InputError(f"--correlate {new} names {label!r} twice. Name it once.")
    return Naming(prefixes, tuple(options.uncorrelate), joined)


def _measurements(words: Sequence[str], analyses: Mapping[str, Path]) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in words:
        label, colon, name = word.partition(":")
        if colon and label in analyses:
            found[label] = name
        else:
            found |= {one: word for one in analyses if one not in found}
    return found


def _groups(sources: Mapping[str, ModelSource], found: Combination) -> dict[str, list[str]]:
    """Groups of parameters by the names of the combination."""
    new = {(label, old): one.name for one in found.parameters for label, old in one.sources.items()}
    groups: dict[str, dict[str, None]] = {}
    for label, source in sources.items():
        for group, members in source.groups.items():
            for member in members:
                old, bracket, rest = member.partition("[")  # of several bins: name[0]
                if (label, old) in new:
                    name = f"{new[label, old]}{bracket}{rest}"
                    groups.setdefault(group, {})[name] = None
    return {group: list(members) for group, members in groups.items()}


def _show_parameters(found: Combination) -> None:
    from hepflow.logging import print_table

    labels = tuple(found.channels)
    rows = [
        (
            one.name,
            one.constraint,
            "shared" if one.shared else "",
            *(
                _place(one.sources.get(label), one.name, one.channels.get(label))
                for label in labels
            ),
        )
        for one in sorted(found.parameters, key=lambda one: not one.shared)
    ]
    caption = "Numbers are those of channels; a name is that of the parameter in the analysis."
    print_table("Parameters", ("parameter", "constraint", "", *labels), rows, caption=caption)


def _place(old: str | None, name: str, channels: int | None) -> str:
    if old is None:
        return ""
    return str(channels) if old == name else f"{channels} as {old}"


def _lines(output: str, found: Combination, asimov: Sequence[str]) -> list[tuple[str, str]]:
    shared = sum(one.shared for one in found.parameters)
    channels = ", ".join(f"{len(names)} of {label}" for label, names in found.channels.items())
    lines = [
        ("Workspace", output),
        ("POI", found.poi),
        ("Channels", channels),
        ("Parameters", f"{len(found.parameters)}, of which {shared} are shared"),
    ]
    if asimov:
        told = f"of {', '.join(asimov)} are Asimov data: nothing of the result is observed"
        lines.append(("Attention", f"the observations {told}"))
    return lines
