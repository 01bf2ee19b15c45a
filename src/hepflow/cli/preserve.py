"""``hepflow preserve``: from a finished run to a bundle for later signals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hepflow.cli.arguments import STATUS_HELP, Parser
from hepflow.cli.output import show
from hepflow.cli.references import find_modules_here

if TYPE_CHECKING:
    from hepflow.cli.endings import Guard

_DESCRIPTION: Final = """\
Put all that a reinterpretation of a finished run needs into one folder or zip: configuration,
code, correction files, background model and signal patch, histograms, versions, results. Run it
where the run was started: the modules of the analysis are imported from there."""


def main(arguments: Sequence[str], guard: Guard, prog: str) -> int:  # noqa: ARG001 - all commands are called alike
    """Run the command; exit status."""
    parser = Parser(prog=prog, description=_DESCRIPTION, epilog=STATUS_HELP)
    add = parser.add_argument
    add("run", metavar="RUN_FOLDER", nargs="?", default="outputs", help="default outputs")
    add("--output", metavar="BUNDLE", required=True, help="folder to be made, or FILE.zip")
    add("--name", metavar="NAME", default="", help="of the analysis; default that of the folder")
    add(
        "--analysis",
        metavar="MODULE:CLASS",
        help="class that did the run, where the run was started from Python",
    )
    add("--overwrite", action="store_true", help="replace a bundle that is there")
    add("--json", metavar="FILE", help="also write the outcome as JSON; - is standard output")
    options = parser.parse_args(list(arguments))

    from hepflow.logging import setup_logging
    from hepflow.reinterpretation.bundle import preserve, verify

    setup_logging("WARNING")
    find_modules_here()
    path = preserve(
        options.run,
        options.output,
        name=options.name,
        analysis=options.analysis,
        overwrite=options.overwrite,
    )
    found = verify(path)
    manifest = found.manifest
    lines = [
        ("Bundle", f"{path} ({len(found.files)} files, {_size(path) / 1e6:.3g} MB)"),
        ("Signal", f"{', '.join(manifest.signals)}, multiplied by {manifest.poi}"),
        ("Modules", ", ".join(manifest.modules) or "none"),
        *(("Remark", one) for one in manifest.remarks),
        ("Digest", found.digest),
        ("", "Hand on the digest beside the bundle: hepflow verify BUNDLE --digest DIGEST"),
    ]
    content = {
        "bundle": str(path),
        "name": manifest.name,
        "digest": found.digest,
        "files": len(found.files),
        "signals": list(manifest.signals),
        "modules": list(manifest.modules),
        "remarks": list(manifest.remarks),
    }
    show(lines, content, options.json)
    return 0


def _size(path: Path) -> int:
    """Size of a file, or of the files in a folder [byte]."""
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    return sum(one.stat().st_size for one in files)
