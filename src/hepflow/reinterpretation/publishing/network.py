"""Ask for a file whose digest nobody knows yet: hosts checked, sizes bounded, never half kept."""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, Any, Final

from hepflow.downloads import TIMEOUT
from hepflow.errors import InputError, UnreadableFile
from hepflow.reinterpretation.publishing.addresses import Address, Permission
from hepflow.remote import shown
from hepflow.storage import atomic_writer

LARGEST: Final = 2 << 30  # [byte]
_BLOCK: Final = 1 << 20  # [byte]
# HEPData sends the file itself only to who asks for its type; else a page about it. More types
# would let doi.org answer with a record about the publication.
_ACCEPT: Final = "application/x-tar, application/zip"
_ACCEPT_DIRECT: Final = f"{_ACCEPT}, application/json, application/octet-stream, */*;q=0.1"


class _Redirections(urllib.request.HTTPRedirectHandler):
    """Follows to permitted hosts only, and never from https to http."""

    def __init__(self, permission: Permission) -> None:
        self._permission = permission

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:  # numpydoc of the base class
        """Check where it leads."""
        self._permission.check(newurl)
        if req.type == "https" and not newurl.lower().startswith("https:"):
            raise InputError(
                f"{shown(req.full_url)} leads to {shown(newurl)}: from https:// to http://, where "
                "anybody may change it. Ask the other side for an https:// address."
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def ask(address: Address, path: Path, permission: Permission, *, timeout: float = TIMEOUT) -> str:
    """Fetch a file.

    Parameters
    ----------
    address : Address
    path : Path
        Where it is put, whole or not at all.
    permission : Permission
        Which hosts may be asked.
    timeout : float
        Time without an answer after which it is given up [s].

    Returns
    -------
    str
        SHA-256 of what came.

    Raises
    ------
    InputError
        A host that is not permitted.
    UnreadableFile
        No answer, not the whole file, more than 2 GiB, or a page instead of a file.
    """
    url = address.url
    permission.check(url)
    opener = urllib.request.build_opener(_Redirections(permission))
    accept = _ACCEPT if address.source.startswith("doi:") else _ACCEPT_DIRECT
    headers = {"User-Agent": "hepflow", "Accept": accept}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - checked above
    try:
        with opener.open(request, timeout=timeout) as answer:
            return _keep(answer, url, path)
    except urllib.error.HTTPError as error:
        error.close()
        raise UnreadableFile(
            f"{shown(url)} cannot be fetched: the server answers {error.code} {error.reason}. "
            "Check the DOI: that of a resource ends in /r1, /r2, ..."
        ) from error
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        reason = shown(str(getattr(error, "reason", error)) or type(error).__name__)
        raise UnreadableFile(
            f"{shown(url)} cannot be fetched: {reason}. Check the network and run it again."
        ) from error


def _keep(answer: Any, url: str, path: Path) -> str:
    told = answer.headers.get("Content-Length")
    expected = int(told) if told and told.isdigit() else None
    digest, size = hashlib.sha256(), 0
    with atomic_writer(path) as temporary, temporary.open("xb") as file:
        while block := answer.read(_BLOCK):
            size += len(block)
            if size > LARGEST:
                raise UnreadableFile(
                    f"{shown(url)} is larger than {LARGEST >> 30} GiB and was not kept. Fetch it "
                    "by other means."
                )
            digest.update(block)
            file.write(block)
        if expected is not None and size != expected:
            raise UnreadableFile(
                f"{shown(url)}: {size} of {expected} bytes came, and they were not kept. Run it "
                "again."
            )
        if answer.headers.get_content_type() == "text/html":
            raise UnreadableFile(
                f"{shown(url)} leads to a web page ({shown(answer.url)}), not to a file. Give the "
                "DOI of the resource, which ends in /r1, /r2, ..., or the address of the file."
            )
    return digest.hexdigest()
