"""Fetch published files into the user's cache, and make sure that they are the right ones."""

from __future__ import annotations

import http.client
import logging
import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from hepflow.errors import ChecksumError, InputError, UnreadableFile
from hepflow.remote import shown
from hepflow.storage import (
    atomic_write,
    private_folder,
    safe_join,
    sha256_bytes,
    sha256_file,
)

_log = logging.getLogger(__name__)
TIMEOUT = 60.0  # [s] without an answer
_LARGEST = 256 * 1024**2  # [byte] what is larger is no correction file: it would fill the memory
_SHA256 = re.compile(r"[0-9a-f]{64}")
_WEB = re.compile(r"https?://[^\s/?#]+\S*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Published:
    """A file that someone publishes."""

    name: str  # in the cache
    url: str  # http:// or https://
    sha256: str  # of its content, 64 digits


def fetch(published: Published, folder: str | Path, *, timeout: float = TIMEOUT) -> Path:
    """Fetch a file, unless it is there already with the right content.

    A file that was put there by hand counts as well, where its content is right. Nothing wrong
    ever lies in the folder under the name of the file, so that several processes can fetch it
    at the same time, and a run that was interrupted goes on with what is missing.

    Parameters
    ----------
    published
        The file.
    folder
        Where it is kept: a folder of the user's own, made if missing.
    timeout
        Time without an answer after which it is given up [s].

    Returns
    -------
    Path
        Where the file lies.

    Raises
    ------
    InputError
        If the URL or the digest is none.
    UnreadableFile
        If there is no answer, or one without the file.
    ChecksumError
        If the content is not what is expected.
    StorageError
        If the folder cannot be written or is not the user's own.
    """
    _check(published)
    path = safe_join(private_folder(folder), published.name)
    if path.is_file():
        if sha256_file(path) == published.sha256:
            return path
        _log.warning("%s is not the published file: it is fetched again", path)
    content = _read(published, path, timeout)
    found = sha256_bytes(content)
    if found != published.sha256:
        raise ChecksumError(
            f"{shown(published.url)}: its SHA-256 is {found}, expected "
            f"{published.sha256}, and it was not kept. It may have been published anew, or an "
            f"error page came instead. {_by_hand(path)}"
        )
    atomic_write(path, content)
    _log.info("fetched %s (%d bytes)", shown(published.url), len(content))
    return path


def _check(published: Published) -> None:
    if not _WEB.fullmatch(published.url):
        raise InputError(
            f"{published.name}: {shown(published.url)!r} is no http:// or https:// address."
        )
    if not _SHA256.fullmatch(published.sha256):
        raise InputError(
            f"{published.name}: {published.sha256!r} is no SHA-256. "
            "Expected its 64 digits, 0-9 and a-f."
        )


def _read(published: Published, path: Path, timeout: float) -> bytes:
    """Content of the URL, whatever it is."""
    url = shown(published.url)
    request = urllib.request.Request(  # noqa: S310 - the scheme has been checked
        published.url, headers={"User-Agent": "hepflow"}
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310 - as above
            content: bytes = answer.read(_LARGEST + 1)
    except urllib.error.HTTPError as error:
        error.close()
        reason = f"the server answers {error.code} {error.reason}"
        raise UnreadableFile(f"{url} cannot be fetched: {reason}. {_by_hand(path)}") from error
    except (OSError, http.client.HTTPException, UnicodeError) as error:  # the last: host name
        reason = shown(_reason(error))
        raise UnreadableFile(
            f"{url} cannot be fetched: {reason}. Check the network and run it again; what was "
            f"fetched is kept. {_by_hand(path)}"
        ) from error
    if len(content) > _LARGEST:
        raise UnreadableFile(
            f"{url} is larger than {_LARGEST // 1024**2} MiB and was not kept. {_by_hand(path)}"
        )
    return content


def _reason(error: BaseException) -> str:
    """What went wrong, without the wrapping of urllib."""
    inner = getattr(error, "reason", error)
    text = str(getattr(inner, "strerror", None) or inner).strip()
    return (text or type(inner).__name__).splitlines()[0]


def _by_hand(path: Path) -> str:
    return f"Where you have the file from elsewhere, put it at {path}."
