"""From a DOI or URL to an address, and the hosts that may be asked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

from hepflow.errors import InputError
from hepflow.remote import shown

RESOLVER: Final = "https://doi.org/"
HOSTS: Final = (  # with all below them
    "doi.org",
    "datacite.org",  # where doi.org leads with a wish for a type
    "hepdata.net",
    "opendata.cern.ch",
    "zenodo.org",
    "arxiv.org",
)
_DOI: Final = re.compile(r"(?:doi:)?(10\.\d{4,9}/[^\s\"<>]+)", re.IGNORECASE)


@dataclass(frozen=True)
class Address:
    """Where something published is asked for."""

    source: str  # the DOI, or the URL without user and query: for people and records
    url: str


@dataclass(frozen=True)
class Permission:
    """Which hosts may be asked, at first and by a redirection."""

    every: bool = False  # --force
    also: tuple[str, ...] = ()  # that of a resolver which the user named

    def check(self, url: str) -> None:
        """Refuse an address.

        Raises
        ------
        InputError
            Its host is not on the list, or the connection would not be private.
        """
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".").lower()
        if parts.scheme not in {"http", "https"} or not host:
            raise InputError(f"{shown(url)!r} is no http:// or https:// address.")
        if parts.username or parts.password:
            raise InputError(
                f"{shown(url)} was given with a user or password: published files need none, and "
                "it would be written down. Leave it out."
            )
        if self.every or host in self.also:
            return
        if not any(host == one or host.endswith(f".{one}") for one in HOSTS):
            raise InputError(
                f"{shown(url)}: the host {host} is none of {', '.join(HOSTS)}. Where you trust "
                "it, give --force, and --sha256 with the digest that its author states."
            )
        if parts.scheme != "https":
            raise InputError(
                f"{shown(url)}: anybody on the way may change what http:// brings. Give the "
                "https:// address, or --force and --sha256."
            )


def read_address(text: str, resolver: str = RESOLVER) -> Address:
    """Address of a DOI, with or without ``doi:`` or ``https://doi.org/``, or of a URL.

    Examples
    --------
    >>> read_address("10.17182/hepdata.89408.v1/r2").url
    'https://doi.org/10.17182/hepdata.89408.v1/r2'

    Raises
    ------
    InputError
        It is neither.
    """
    parts = urlsplit(text)
    host = (parts.hostname or "").lower()
    bare = parts.path.lstrip("/") if host in {"doi.org", "dx.doi.org", "www.doi.org"} else text
    found = _DOI.fullmatch(bare.strip())
    if found:
        doi = found[1].lower()  # DOIs are the same in either case
        return Address(f"doi:{doi}", f"{resolver.rstrip('/')}/{quote(doi, safe='/:;()._-~')}")
    if parts.scheme in {"http", "https"} and host:
        return Address(shown(text), text)
    raise InputError(
        f"{shown(text)!r} is neither a DOI nor a URL. Expected such as "
        "10.17182/hepdata.89408.v1/r2 (of the resource, not of the record) or https://..."
    )
