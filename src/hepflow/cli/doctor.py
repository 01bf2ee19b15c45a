"""``hepflow doctor``: which generators, packages and programs are there, and how to get others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from hepflow.cli.arguments import OVERRIDES_HELP, STATUS_HELP, Parser, add_config_options
from hepflow.cli.output import show

if TYPE_CHECKING:
    from hepflow.cli.endings import Guard
    from hepflow.inference.workflow.installed import Found

_DESCRIPTION: Final = """\
Say what is installed of what hepflow can use, what each is for, and how to install it. With
--config, whether a simulation-based inference of that configuration can run here: if not, the exit
status is 1. Packages for it are imported to see that they can be; nothing else is run, and what is
missing is never replaced by something else."""


def main(arguments: Sequence[str], guard: Guard, prog: str) -> int:  # noqa: ARG001 - all commands are called alike
    """Run the command; exit status."""
    parser = Parser(
        prog=prog, description=_DESCRIPTION, epilog=f"{OVERRIDES_HELP}\n\n{STATUS_HELP}"
    )
    add_config_options(parser, None)
    from hepflow.cli.sbi import words_of
    from hepflow.cli.studies import study_of
    from hepflow.inference.workflow.installed import (
        TOOLS,
        broken_packages,
        environment,
        look_for,
        wanted_tools,
    )

    options, overrides = words_of(parser, arguments)
    wanted = {}
    if options.config or overrides:
        study = study_of(options.config, overrides)
        wanted = {tool.name: executable for tool, executable in wanted_tools(study)}
    found = [look_for(tool, wanted.get(tool.name)) for tool in TOOLS]
    broken = broken_packages([one for one in found if not wanted or one.tool.name in wanted])
    missing = [
        one.tool.name
        for one in found
        if one.tool.name in wanted and (not one.there or one.tool.name in broken)
    ]
    if options.json != "-":
        _show_tools(found, wanted, broken)
    lines = [*environment(), *_verdict(missing, asked=bool(wanted))]
    content = {
        "environment": dict(environment()),
        "tools": [_tool(one, wanted, broken) for one in found],
        "missing": missing,
    }
    show(lines, content, options.json)
    return 1 if missing else 0


def _tool(
    one: Found, wanted: Mapping[str, str | None], broken: Mapping[str, str]
) -> dict[str, object]:
    return {
        "name": one.tool.name,
        "kind": one.tool.kind,
        "installed": one.there,
        "fault": broken.get(one.tool.name),
        "version": one.version or None,
        "place": one.place or None,
        "purpose": one.tool.purpose,
        "install": one.tool.install,
        "wanted": one.tool.name in wanted,
    }


def _show_tools(
    found: Sequence[Found], wanted: Mapping[str, str | None], broken: Mapping[str, str]
) -> None:
    from hepflow.logging import print_table

    rows = [
        (
            one.tool.name + (" (wanted)" if one.tool.name in wanted else ""),
            _state(one, broken),
            one.tool.purpose,
            "" if one.there and one.tool.name not in broken else one.tool.install,
        )
        for one in found
    ]
    print_table("What hepflow can use", ("", "version", "what for", "how to get it"), rows)


def _state(one: Found, broken: Mapping[str, str]) -> str:
    if one.tool.name in broken:
        return f"cannot be imported ({broken[one.tool.name]})"
    return (one.version or one.place) if one.there else "not installed"


def _verdict(missing: Sequence[str], *, asked: bool) -> list[tuple[str, str]]:
    if not asked:
        return []
    text = f"cannot run here: {', '.join(missing)} missing or broken" if missing else "can run here"
    return [("This configuration", text)]
