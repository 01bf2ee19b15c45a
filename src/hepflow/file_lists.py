"""Find the files of a dataset: folders, listings, globs and URLs."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from hepflow import remote
from hepflow.errors import FileListError
from hepflow.remote import is_remote, shown

_SHOWN = 5  # files that a message names
_LISTING = ".txt"


def find_files(
    where: str,
    *,
    directories: Sequence[str] = (),
    files: Sequence[str] = (),
    pattern: str = "*.root",
    redirectors: Sequence[str] = (),
    must_exist: bool = True,
) -> list[str]:
    """Find all files, sorted; each must be there once.

    Parameters
    ----------
    where
        Dataset, for messages.
    directories
        Folders, here or at a URL, with files or with text listings, which precede.
    files
        Paths, URLs, globs or text listings.
    pattern
        Files of a directory.
    redirectors
        The first one is put in front of names that are no URL. Listings and folders of listings
        without a URL are read here all the same. Where a folder or a glob has to be looked up,
        the next redirectors are asked if the first does not know it.
    must_exist
        Whether a local file that does not exist is an error here; else where it is opened.

    Returns
    -------
    list of str
        Paths, and URLs with the first redirector. Remote files are met when they are opened.

    Raises
    ------
    FileListError
        If a listing is missing or empty, a glob matches nothing, a local file does not exist,
        a file is repeated, a server does not answer, or a package for its protocol is missing.
    """
    places = _Places(where, pattern, tuple(redirectors))
    found = [one for folder in directories for one in places.in_folder(folder)]
    found += [one for text in files for one in places.named(text)]
    if not found:
        raise FileListError(f"{where}: the list of files is empty.")
    times = Counter(map(_identity, found))
    repeated = sorted({shown(file) for file in found if times[_identity(file)] > 1})
    if repeated:
        raise FileListError(
            f"{where}: listed more than once: {_some(repeated)}. Its events would count twice; "
            "name each file once."
        )
    missing = [file for file in found if not is_remote(file) and not Path(file).is_file()]
    if missing and must_exist:
        raise FileListError(
            f"{where}: {len(missing)} of {len(found)} files do not exist: {_some(missing)}. "
            "Check the listing or the directory."
        )
    return sorted(found)


def alternatives(file: str, redirectors: Sequence[str]) -> tuple[str, ...]:
    """The same file through the other redirectors, in their order.

    Examples
    --------
    >>> alternatives("root://one//store/x.root", ["root://one/", "root://two/"])
    ('root://two//store/x.root',)
    >>> alternatives("/data/x.root", ["root://one/", "root://two/"])
    ()
    """
    if not redirectors or not file.startswith(_behind(redirectors[0], "")):
        return ()
    return tuple(_moved(file, redirectors[0], other) for other in redirectors[1:])


def _behind(redirector: str, name: str) -> str:
    """Name at a redirector: XRootD has two slashes after the host, others have one."""
    stem = redirector.rstrip("/")
    host_alone = "/" not in stem.partition("://")[2]
    slashes = "//" if remote.protocol_of(stem) == "root" and host_alone else "/"
    return stem + slashes + name.lstrip("/")


def _moved(file: str, redirector: str, other: str) -> str:
    return _behind(other, file[len(_behind(redirector, "")) :])


class _Places:
    """Where the files of one dataset lie.

    Parameters
    ----------
    where, pattern, redirectors
        As in `find_files`.
    """

    def __init__(self, where: str, pattern: str, redirectors: tuple[str, ...]) -> None:
        self.where = where
        self.pattern = pattern
        self.redirectors = redirectors
        for one in redirectors:
            if not is_remote(one):
                raise FileListError(
                    f"{where}: the redirector {one!r} is no URL. Expected such as root://{one}/."
                )

    def in_folder(self, directory: str) -> list[str]:
        """Files of a folder, here or at a URL."""
        if is_remote(directory):
            return self._looked_up(directory, (), self.pattern)
        path = Path(directory).expanduser()
        listings = sorted(path.glob(f"*{_LISTING}"))
        if listings:
            return [file for one in listings for file in self._listed(str(one))]
        if self.redirectors:
            return self._looked_up(directory, self.redirectors, self.pattern)
        if not path.is_dir():
            raise FileListError(f"{self.where}: there is no directory {directory}.")
        found = [str(file) for file in path.glob(self.pattern)]
        if not found:
            raise FileListError(f"{self.where}: no file in {directory} matches {self.pattern!r}.")
        return found

    def named(self, text: str) -> list[str]:
        """Files that an entry of `files` names."""
        if is_remote(text):
            if remote.has_magic(text):
                return self._looked_up(text, ())
            return self._at(text, "")
        if self.redirectors and not _is_listing(text):
            if glob.has_magic(text):
                return self._looked_up(text, self.redirectors)
            return [_behind(self.redirectors[0], text)]
        return self._here(text)

    def _here(self, text: str) -> list[str]:
        path = str(Path(text).expanduser())
        if not glob.has_magic(text):
            return self._at(path, "")
        found = glob.glob(path, recursive=True)  # noqa: PTH207 - patterns may be absolute
        if not found:
            raise FileListError(f"{self.where}: no file matches {text!r}.")
        return [file for one in found for file in self._at(one, "")]

    def _looked_up(self, name: str, redirectors: tuple[str, ...], pattern: str = "") -> list[str]:
        """Ask the server, or one redirector after the other until one knows something.

        The name is that of a folder where there is a pattern, else a glob.
        """
        told = []
        for one in redirectors or ("",):
            url = _behind(one, name) if one else name
            try:
                found = remote.folder(url, pattern) if pattern else remote.match(url)
            except remote.errors() as error:
                told.append(f"{shown(url)}: {remote.reason(url, error)}.")
                continue
            if found:
                return [file for at in found for file in self._at(at, one)]
            sought = f"{url.rstrip('/')}/{pattern}" if pattern else url
            told.append(f"no file matches {shown(sought)!r}.")
        raise FileListError(f"{self.where}: " + " ".join(told))

    def _at(self, found: str, redirector: str) -> list[str]:
        """Files of a listing; another file itself, but at the first redirector."""
        if _is_listing(found):
            return self._listed(found)
        return [_moved(found, redirector, self.redirectors[0]) if redirector else found]

    def _listed(self, listing: str) -> list[str]:
        """One path or URL a line; ``#`` begins a comment."""
        lines = (line.partition("#")[0].strip() for line in self._text(listing).splitlines())
        entries = [line for line in lines if line]
        if not entries:
            raise FileListError(
                f"{self.where}: the listing {shown(listing)} is empty. Expected one path a line; "
                "list the files, or leave the dataset out."
            )
        return [self._beside(listing, one) for one in entries]

    def _text(self, listing: str) -> str:
        if not is_remote(listing) and not Path(listing).is_file():
            raise FileListError(
                f"{self.where}: there is no listing {listing}. Expected a text file with one path "
                "a line; check `files` of the dataset."
            )
        try:
            if is_remote(listing):
                return remote.read_text(listing)
            return Path(listing).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            why = "it is no text"
        except remote.errors() as error:
            why = remote.reason(listing, error)
        # The library's own text and traceback may hold the credentials of the URL: no cause.
        raise FileListError(
            f"{self.where}: the listing {shown(listing)} cannot be read: {why}. "
            "Expected a text file with one path a line."
        )

    def _beside(self, listing: str, name: str) -> str:
        """File that a line of a listing names: at the redirector, or relative to the listing."""
        if is_remote(name):
            return name
        if self.redirectors:
            return _behind(self.redirectors[0], name)
        if not is_remote(listing):
            return os.path.normpath(Path(listing).parent / name)
        protocol, _, rest = listing.partition("://")
        host = f"{protocol}://{rest.partition('/')[0]}"
        return _behind(host if name.startswith("/") else listing.rpartition("/")[0], name)


def _is_listing(name: str) -> bool:
    return (name.partition("?")[0] if is_remote(name) else name).endswith(_LISTING)


def _identity(file: str) -> str:
    """The same for two ways to write one path, links included."""
    return file if is_remote(file) else str(Path(file).resolve())


def _some(files: Sequence[str]) -> str:
    more = f" and {len(files) - _SHOWN} more" if len(files) > _SHOWN else ""
    return ", ".join(files[:_SHOWN]) + more
