"""``hepflow cache``: list, remove or verify what runs keep."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hepflow.cli.arguments import OVERRIDES_HELP, Parser, add_config_options, parse_with_overrides
from hepflow.cli.output import show
from hepflow.cli.quantities import size
from hepflow.cli.references import find_modules_here, load_config
from hepflow.errors import did_you_mean

if TYPE_CHECKING:
    import argparse

    from hepflow.cli.endings import Guard
    from hepflow.planning.inventory import Kept, Places
    from hepflow.planning.verification import Verified

_ACTIONS: Final = ("ls", "rm", "verify")
_OWN: Final = {  # option -> the action that it belongs to
    "older_than": "rm",
    "dry_run": "rm",
    "yes": "rm",
    "remove": "verify",
}
_OUTPUT: Final = "outputs"  # as general.output_dir
_SHOWN: Final = 30  # damaged files in the table
_DESCRIPTION: Final = """\
List (ls), remove (rm) or verify what runs keep in the cache and in the output folder. Folders are
those of --config, or --cache-dir and --output-dir, or the usual ones.

Kinds to remove: merged, parts, prepared, duplicates, luminosity, isolated, bundles, metadata,
skims; all is all of these. Also samples and opendata, which take long to make or to fetch. What
`rm` removes is made again when it is needed. Links are never followed."""


def main(arguments: Sequence[str], guard: Guard, prog: str) -> int:  # noqa: ARG001 - all commands are called alike
    """Run the command; exit status."""
    options, overrides = _parsed(arguments, prog)
    places = _places(options, overrides)
    if options.action == "ls":
        return _list(places, options)
    if options.action == "rm":
        return _remove(places, options)
    return _verify(places, options)


def _parsed(arguments: Sequence[str], prog: str) -> tuple[argparse.Namespace, list[str]]:
    parser = Parser(prog=prog, description=_DESCRIPTION, epilog=OVERRIDES_HELP)
    parser.add_argument("action", choices=_ACTIONS, metavar="ACTION", help="ls, rm or verify")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help="rm: what to remove")
    add_config_options(parser, None)
    parser.add_argument("--cache-dir", metavar="DIR", help="the cache, where not of --config")
    parser.add_argument(
        "--output-dir", metavar="DIR", help=f"results, where not of --config (default {_OUTPUT})"
    )
    parser.add_argument("--older-than", type=float, metavar="DAYS", help="rm: not used for so long")
    parser.add_argument("--dry-run", action="store_true", help="rm: only say what would be removed")
    parser.add_argument("--yes", action="store_true", help="rm: needed with the kind all")
    parser.add_argument(
        "--remove", action="store_true", help="verify: remove what is damaged, to be made again"
    )
    # Overrides without dashes look like kinds; none of these has an equals sign.
    words = [word if "=" not in word or word.startswith("-") else f"--{word}" for word in arguments]
    options, rest = parser.parse_known_args(words)
    if rest and not options.config:
        parser.error(f"{rest[0]} needs a configuration: give --config module:attribute")
    overrides = parse_with_overrides(parser, words)[1] if options.config else []
    _check(parser, options)
    return options, overrides


def _check(parser: Parser, options: argparse.Namespace) -> None:
    """Refuse options that mean nothing, and kinds that do not exist."""
    from hepflow.planning.inventory import ALL, KINDS

    for name, action in _OWN.items():
        if getattr(options, name) and options.action != action:
            option = "--" + name.replace("_", "-")
            parser.error(f"{option} is an option of `cache {action}`, not of {options.action}")
    if options.config and (options.cache_dir or options.output_dir):
        parser.error("give --config, or --cache-dir and --output-dir, not both")
    if options.action != "rm":
        if options.kinds:
            parser.error(
                f"`cache {options.action}` looks at everything: leave {options.kinds[0]!r} out"
            )
        return
    known = [kind.name for kind in KINDS if kind.removable] + [ALL]
    if not options.kinds:
        parser.error(f"remove what? Kinds are {', '.join(known)}")
    for kind in options.kinds:
        if kind not in known:
            parser.error(
                f"there is no kind {kind!r} to remove. {did_you_mean(kind, known, many=20)}"
            )
    if ALL in options.kinds and not (options.yes or options.dry_run):
        parser.error("`cache rm all` removes skims and everything in the cache: add --yes")


def _places(options: argparse.Namespace, overrides: Sequence[str]) -> Places:
    from hepflow.output_manager import OutputDirectoryManager
    from hepflow.planning.inventory import Places

    if not options.config:
        output = options.output_dir or _OUTPUT
        return Places.of(
            OutputDirectoryManager(root_output_dir=output, cache_dir=options.cache_dir)
        )
    from hepflow.pipeline import make_output_manager

    find_modules_here()
    return Places.of(make_output_manager(load_config(options.config, overrides)))


def _list(places: Places, options: argparse.Namespace) -> int:
    from hepflow.planning.inventory import KINDS, kept_files

    found: dict[str, list[Kept]] = {kind.name: [] for kind in KINDS}
    for one in kept_files(places):
        found[one.kind].append(one)
    what = {kind.name: kind.what for kind in KINDS}
    rows = [
        (name, what[name], len(files), size(_total(files)), _when(max(one.used for one in files)))
        for name, files in found.items()
        if files
    ]
    if options.json != "-" and rows:
        from hepflow.logging import print_table

        columns = ("kind", "what", "files", "size", "last used")
        print_table("What runs keep", columns, rows, right=("size",))
    everything = [one for files in found.values() for one in files]
    content = {
        "cache": str(places.cache),
        "output": str(places.output),
        "kinds": {name: _plain(files) for name, files in found.items()},
        "files": len(everything),
        "size": _total(everything),
    }
    lines = [
        ("Cache", str(places.cache)),
        ("Output", str(places.output)),
        ("In all", f"{len(everything)} files, {size(_total(everything))}"),
    ]
    show(lines, content, options.json)
    return 0


def _plain(files: Sequence[Kept]) -> dict[str, Any]:
    used = _when(max(one.used for one in files)) if files else None
    return {"files": len(files), "size": _total(files), "last_used": used}


def _total(files: Sequence[Kept]) -> int:
    return sum(one.size for one in files)


def _when(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d %H:%M}"


def _remove(places: Places, options: argparse.Namespace) -> int:
    from hepflow.planning.inventory import chosen
    from hepflow.planning.removal import remove, to_remove

    kinds = chosen(options.kinds)
    files = to_remove(places, kinds, now=time.time(), older_than=options.older_than)
    if not options.dry_run:
        remove(files)
    by_kind = {kind.name: [one for one in files if one.kind == kind.name] for kind in kinds}
    lines = [
        (name, f"{len(mine)} files, {size(_total(mine))}") for name, mine in by_kind.items() if mine
    ]
    verb = "Would remove" if options.dry_run else "Removed"
    lines.append((verb, f"{len(files)} files, {size(_total(files))}"))
    content = {
        "removed": not options.dry_run,
        "files": [str(one.path) for one in files],
        "size": _total(files),
    }
    show(lines, content, options.json)
    return 0


def _verify(places: Places, options: argparse.Namespace) -> int:
    from hepflow.planning.verification import remove_damaged, verify

    found = verify(places)
    removed = remove_damaged(found.damaged) if options.remove else 0
    if options.json != "-":
        _show_damage(found)
    lines = [
        ("Read", f"{found.files} files, {size(found.size)}"),
        ("Damaged", str(len(found.damaged)) if found.damaged else "none"),
    ]
    if options.remove:
        lines.append(("Removed", f"{removed} files"))
    elif found.damaged:
        lines.append(("To do", "`hepflow cache verify --remove`, then run again"))
    content = {
        "files": found.files,
        "size": found.size,
        "damaged": [
            {"kind": one.kind, "path": str(one.path), "what": one.what, "remedy": one.remedy}
            for one in found.damaged
        ],
        "removed": removed,
    }
    show(lines, content, options.json)
    return 1 if found.damaged and not options.remove else 0


def _show_damage(found: Verified) -> None:
    if not found.damaged:
        return
    from hepflow.logging import print_table

    rows = [(_relative(one.path), one.what, one.remedy) for one in found.damaged[:_SHOWN]]
    more = len(found.damaged) - len(rows)
    caption = f"and {more} more" if more else None
    print_table("Damaged", ("file", "", "what to do"), rows, caption=caption)


def _relative(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
