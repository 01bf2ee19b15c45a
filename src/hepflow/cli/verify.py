"""``hepflow verify``: whether a bundle is as it was written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from hepflow.cli.arguments import STATUS_HELP, Parser
from hepflow.cli.output import show

if TYPE_CHECKING:
    from hepflow.cli.endings import Guard

_DESCRIPTION: Final = """\
Compare every file of a bundle with what `hepflow preserve` wrote, and name those that were
changed. Nothing of it is run. Only the digest, as the bundle's author tells it, shows that nobody
has made another bundle of it."""


def main(arguments: Sequence[str], guard: Guard, prog: str) -> int:  # noqa: ARG001 - all commands are called alike
    """Run the command; exit status."""
    parser = Parser(prog=prog, description=_DESCRIPTION, epilog=STATUS_HELP)
    add = parser.add_argument
    add("bundle", metavar="BUNDLE", help="folder or zip")
    add("--digest", metavar="SHA256", help="of its bundle.json, as its author tells it")
    add("--json", metavar="FILE", help="also write the outcome as JSON; - is standard output")
    options = parser.parse_args(list(arguments))

    from hepflow.reinterpretation.bundle import verify

    found = verify(options.bundle, digest=options.digest)
    manifest = found.manifest
    told = "as its author gave it" if options.digest else "compare it with that of its author"
    lines = [
        ("Bundle", f"{options.bundle}: {manifest.name}"),
        ("Whole", f"{len(found.files)} files are as they were written"),
        ("Digest", f"{found.digest} ({told})"),
        ("Signal", f"{', '.join(manifest.signals)}, multiplied by {manifest.poi}"),
        ("Code", ", ".join(manifest.modules) or "none"),
        ("Made with", f"hepflow {manifest.hepflow}, Python {manifest.python}"),
        *(("Remark", one) for one in manifest.remarks),
    ]
    content = {
        "bundle": str(options.bundle),
        "name": manifest.name,
        "digest": found.digest,
        "digest_given": options.digest is not None,
        "files": list(found.files),
        "signals": list(manifest.signals),
        "modules": list(manifest.modules),
        "remarks": list(manifest.remarks),
    }
    show(lines, content, options.json)
    return 0
