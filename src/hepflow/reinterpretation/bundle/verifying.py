"""Whether a bundle is as it was written. No code of it runs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from hepflow.errors import ChecksumError, UnsafeContent
from hepflow.reinterpretation.bundle.contents import MANIFEST, InFolder, InZip, check_name, opened
from hepflow.reinterpretation.bundle.manifest import Bundle, Manifest
from hepflow.reinterpretation.bundle.stored_zip import zip_pieces
from hepflow.storage import sha256_bytes, sha256_file

CODE: Final = "code/"
_LARGEST: Final = 64 << 20  # [byte] of bundle.json
_SHOWN: Final = 20  # names in a message
Sink = Callable[[str, bytes], None]


def verify(bundle: str | Path, *, digest: str | None = None) -> Bundle:
    """Compare every file of a bundle with what was written. Nothing of it is run or imported.

    Parameters
    ----------
    bundle
        Folder or zip, as `preserve` makes it.
    digest
        SHA-256 of its ``bundle.json``, as `preserve` tells it: whoever changes a file and its
        digest is found by this only.

    Returns
    -------
    Bundle

    Raises
    ------
    ChecksumError
        A file was changed, is missing or was added; the message names it.
    UnsafeContent
        A name leads out of the bundle, something in it is no plain file, or it is too large.
    InputError
        It is no bundle.
    """
    return checked(Path(bundle), digest)


def checked(path: Path, digest: str | None, sink: Sink | None = None) -> Bundle:
    """Verify a bundle, handing each file that is as it was written to `sink`."""
    with opened(path) as contents:
        if contents.sizes[MANIFEST] > _LARGEST:
            raise UnsafeContent(f"{path}: {MANIFEST} has more than {_LARGEST} bytes.")
        own = contents.read(MANIFEST)
        found = sha256_bytes(own)
        if digest is not None and digest.strip().lower() != found:
            raise ChecksumError(
                f"{path} is another bundle: the digest of {MANIFEST} is {found}, expected "
                f"{digest[:80]}."
            )
        manifest = Manifest.from_bytes(own, str(path))
        names = _names(path, contents, manifest)
        changed: list[str] = []
        every = _files(contents, own, manifest, changed, sink)
        if isinstance(contents, InZip):
            _check_zip(path, every, changed)
        else:
            for _ in every:
                pass
        _refuse(path, changed, "changed after the bundle was made")
    return Bundle(path, found, manifest, names)


def _names(path: Path, contents: InFolder | InZip, manifest: Manifest) -> tuple[str, ...]:
    """Names of all files but the manifest, which are those that it lists."""
    for name in (*manifest.digests, *manifest.files.values()):
        check_name(name)
    listed, there = set(manifest.digests), set(contents.sizes) - {MANIFEST}
    _refuse(path, sorted(listed - there), "missing")
    _refuse(path, sorted(there - listed), f"not listed in {MANIFEST}")
    _refuse(path, sorted(set(manifest.files.values()) - there), "missing")
    compiled = [one for one in there if one.startswith(CODE) and not one.endswith(".py")]
    if compiled:
        raise UnsafeContent(f"{path}: {min(compiled)} is no Python source, as code must be.")
    return tuple(sorted(listed))


def _files(
    contents: InFolder | InZip,
    own: bytes,
    manifest: Manifest,
    changed: list[str],
    sink: Sink | None,
) -> Iterator[tuple[str, bytes]]:
    """Name and content of every file, sorted; those that were changed are noted."""
    for name in sorted(contents.sizes):
        if name == MANIFEST:
            content = own
        else:
            try:
                content = contents.read(name)
            except ChecksumError:
                changed.append(name)
                continue
            if sha256_bytes(content) != manifest.digests[name]:
                changed.append(name)
                continue
        if sink is not None:
            sink(name, content)
        yield name, content


def _check_zip(path: Path, files: Iterator[tuple[str, bytes]], changed: list[str]) -> None:
    """Refuse bytes of a zip file that are of no file in it and are not as they were written."""
    expected = hashlib.sha256()
    for piece in zip_pieces(files):
        expected.update(piece)
    if not changed and sha256_file(path) != expected.hexdigest():
        raise ChecksumError(
            f"{path}: its files are as they were written, but the zip file around them is not. If "
            "you have packed it again yourself, unpack it and verify the folder."
        )


def _refuse(path: Path, names: Sequence[str], what: str) -> None:
    if names:
        shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
        raise ChecksumError(f"{path}: {what}: {shown}. Take the bundle from its source again.")
