"""``hepflow download``: a published likelihood by its DOI."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hepflow.cli.arguments import STATUS_HELP, Parser
from hepflow.cli.output import show

if TYPE_CHECKING:
    from hepflow.cli.endings import Guard
    from hepflow.reinterpretation.publishing import Downloaded

_CACHE: Final = "likelihoods"  # below the user's cache
_DESCRIPTION: Final = """\
Fetch a published likelihood by the DOI of the resource on HEPData, or by its address, verify it,
unpack it, and list the workspaces and patch sets in it. What was fetched once is kept in the
user's cache with its digest: the next time needs no network."""


def main(arguments: Sequence[str], guard: Guard, prog: str) -> int:  # noqa: ARG001 - all commands are called alike
    """Run the command; exit status."""
    options = _parser(prog).parse_args(list(arguments))

    from hepflow.output_manager import default_cache_dir
    from hepflow.reinterpretation.publishing import Access, download
    from hepflow.reinterpretation.publishing.addresses import RESOLVER, read_address

    resolver = options.resolver or RESOLVER
    source = read_address(options.source, resolver).source
    plain = re.sub(r"[^A-Za-z0-9.]+", "_", source.removeprefix("doi:")).strip("._")
    found = download(
        options.source,
        Path(options.output or plain),
        cache=default_cache_dir() / _CACHE,
        sha256=options.sha256,
        access=Access(options.offline, options.force, resolver),
    )
    _show(found, options.json)
    return 1 if found.problems else 0


def _parser(prog: str) -> Parser:
    parser = Parser(prog=prog, description=_DESCRIPTION, epilog=STATUS_HELP)
    add = parser.add_argument
    add("source", metavar="DOI|URL", help="such as 10.17182/hepdata.89408.v1/r2")
    add("--output", metavar="DIR", help="folder for the files (default: named after the source)")
    add("--sha256", metavar="DIGEST", help="of the file, where its author states it")
    add("--offline", action="store_true", help="use no network: only what was fetched before")
    add(
        "--force",
        action="store_true",
        help="ask any host (default: those of doi.org, HEPData, CERN Open Data, Zenodo and arXiv)",
    )
    add(
        "--resolver",
        metavar="URL",
        help="address that a DOI is appended to (default https://doi.org/)",
    )
    add("--json", metavar="FILE", help="also write the outcome as JSON; - is standard output")
    return parser


def _show(found: Downloaded, json_file: str | None) -> None:
    lines = [
        ("Source", f"{found.source} ({'cached' if found.from_cache else 'fetched'})"),
        ("SHA-256", found.sha256),
        ("Unpacked in", str(found.folder)),
        *((one.kind.capitalize(), f"{one.file}: {one.text}") for one in found.contents),
        *(("Problem", text) for text in found.problems),
    ]
    content = {
        "source": found.source,
        "sha256": found.sha256,
        "cached": str(found.cached),
        "output": str(found.folder),
        "from_cache": found.from_cache,
        "contents": [one.to_json() for one in found.contents],
    }
    show(lines, content, json_file)
