"""Published likelihoods: fetched once, verified, and there without network afterwards."""

from __future__ import annotations

import hashlib
import logging
import re
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from hepflow.errors import ChecksumError, InputError, StorageError, UnreadableFile
from hepflow.reinterpretation.publishing.addresses import (
    RESOLVER,
    Address,
    Permission,
    read_address,
)
from hepflow.reinterpretation.publishing.contents import Content, look
from hepflow.reinterpretation.publishing.network import ask
from hepflow.reinterpretation.publishing.unpacking import unpack
from hepflow.remote import shown
from hepflow.storage import (
    private_folder,
    read_json,
    safe_join,
    sha256_file,
    write_json,
)

_log = logging.getLogger(__name__)
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_FILE, _RECORD = "content", "record.json"


@dataclass(frozen=True)
class Access:
    """What may be asked."""

    offline: bool = False  # use no network
    force: bool = False  # also hosts that are not on the list, and by http
    resolver: str = RESOLVER  # address that a DOI is appended to

    @property
    def permission(self) -> Permission:
        """Hosts; that of a resolver which the user named is one of them."""
        host = (urlsplit(self.resolver).hostname or "").lower()
        return Permission(self.force, () if self.resolver == RESOLVER else (host,))


@dataclass(frozen=True)
class Downloaded:
    """A published likelihood on this disk."""

    source: str  # the DOI or URL
    sha256: str  # of what was fetched
    cached: Path  # as it came
    folder: Path  # unpacked
    contents: tuple[Content, ...]
    from_cache: bool  # no network was used

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with it."""
        return tuple(f"{one.file}: {one.problem}" for one in self.contents if one.problem)


def download(
    text: str,
    output: Path,
    *,
    cache: Path,
    sha256: str | None = None,
    access: Access | None = None,
) -> Downloaded:
    """Fetch a published likelihood, unless it is cached, and unpack it.

    The digest of what comes first is written down, and everything later is compared with it.

    Parameters
    ----------
    text : str
        DOI of a resource, such as ``10.17182/hepdata.89408.v1/r2``, or URL.
    output : Path
        Folder for the files, new, empty, or with the same files.
    cache : Path
        Folder of the user's own, made if missing.
    sha256 : str, optional
        Of what is to come, where its author states it.
    access : Access, optional
        What may be asked.

    Returns
    -------
    Downloaded

    Raises
    ------
    InputError
        It is no DOI or URL, of another host, or something else is at `output`.
    UnreadableFile
        It cannot be fetched or unpacked, or is not cached and may not be asked for.
    ChecksumError
        The content is not what it was, or what was stated.
    UnsafeContent
        The archive is not to be unpacked, or the cache is not the user's own.
    """
    access = access or Access()
    address = read_address(text, access.resolver)
    stated = _stated(sha256)
    folder = private_folder(safe_join(private_folder(cache), _key(address)))
    known = _known(folder)
    file = folder / _FILE
    there = file.is_file() and known is not None and sha256_file(file) == known
    if not there:
        known = _fetch(address, folder, known or stated, access)
    if stated is not None and stated != known:
        raise ChecksumError(
            f"{address.source}: its SHA-256 is {known}, but {stated} was stated. Where the "
            f"published file was replaced, remove {folder} and ask again."
        )
    contents = _unpack(file, output, address.source)
    return Downloaded(address.source, str(known), file, output, contents, from_cache=there)


def _stated(sha256: str | None) -> str | None:
    digest = sha256.lower() if sha256 else None
    if digest is not None and not _SHA256.fullmatch(digest):
        raise InputError(f"{sha256!r} is no SHA-256: expected its 64 digits, 0-9 and a-f.")
    return digest


def _key(address: Address) -> str:
    plain = re.sub(r"[^A-Za-z0-9.]+", "_", address.source)[-60:].strip("._")
    # What one resolver led to is not taken for what another one would.
    return f"{plain}-{hashlib.sha256(address.url.encode()).hexdigest()[:12]}"


def _known(folder: Path) -> str | None:
    path = folder / _RECORD
    if not path.is_file():
        return None
    stored: Any = read_json(path, "`hepflow download`")
    digest = stored.get("sha256") if isinstance(stored, dict) else None
    if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
        raise StorageError(f"{path} is no record of a download. Remove {folder} and ask again.")
    return digest


def _fetch(address: Address, folder: Path, expected: str | None, access: Access) -> str:
    if access.offline:
        raise UnreadableFile(
            f"{address.source} is not in the cache ({folder}), or damaged there, and --offline "
            "was given. Run it once with a network."
        )
    file = folder / _FILE
    arrived = folder / "arrived"  # under its own name only once it is known to be right
    found = ask(address, arrived, access.permission)
    if expected is not None and found != expected:
        arrived.unlink()
        raise ChecksumError(
            f"{address.source}: the SHA-256 of what came is {found}, expected {expected}, and it "
            f"was not kept. Where the published file was replaced, remove {folder} and check "
            "--sha256."
        )
    size = arrived.stat().st_size
    arrived.replace(file)
    fetched = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    record = {
        "source": address.source,
        "asked": shown(address.url),
        "sha256": found,
        "size": size,  # [byte]
        "fetched": fetched,
    }
    write_json(folder / _RECORD, record)
    _log.info("fetched %s (%d bytes)", address.source, size)
    return found


def _unpack(file: Path, output: Path, source: str) -> tuple[Content, ...]:
    """Unpack beside the output, and move it there when all of it is right."""
    output = output.absolute()
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{output.name}-", dir=output.parent) as name:
        folder = Path(name) / "files"
        folder.mkdir()
        files = unpack(file, folder, source)
        contents = look(folder, files)
        if output.exists():
            _check_same(folder, files, output)
        else:
            folder.rename(output)
    return contents


def _check_same(folder: Path, files: Sequence[Path], output: Path) -> None:
    """Put files into a folder that is there, without changing any of another content."""
    targets = {path: output / path.relative_to(folder) for path in files}
    for path, target in targets.items():
        if target.exists() and (not target.is_file() or sha256_file(target) != sha256_file(path)):
            raise InputError(
                f"{target} is there and has other contents. Choose another --output, or remove it."
            )
    for path, target in targets.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)
