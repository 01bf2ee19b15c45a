"""Files at URLs: how messages show them, how they are listed, why one cannot be read."""

from __future__ import annotations

import errno
import hashlib
import importlib
import importlib.util
import os
import re
import sys
from typing import Any, Final

from hepflow.errors import UnreadableFile

# protocol -> extra of this package, and the modules that the extra brings
_NEEDS: Final = {
    "root": ("xrootd", ("XRootD", "fsspec_xrootd")),
    "s3": ("s3", ("s3fs",)),
}
# XRootD waits for a dead server up to 5 times 120 s: a redirector that is down would look as if
# the run hung. Variables of these names in the environment precede.
_PATIENCE: Final = {"ConnectionWindow": 15, "ConnectionRetry": 2}  # [s], tries

_HOST: Final = re.compile(r"\w[\w+.-]*://[^/]*")
_USER: Final = re.compile(r"(://)[^/\s]*@")
_QUERY: Final = re.compile(r"""(://[^\s?'"<>]*)\?[^\s'"<>]*""")
_BARE_QUERY: Final = re.compile(r"""\?[^\s'"<>=?&]+=[^\s'"<>]*""")  # a path without its host

_PATH: Final = re.compile(r"\S*/\S*")

# What the libraries say (type and message); XRootD has nothing but text.
_GONE: Final = r"FileNotFound|no such file|NoSuchBucket|NoSuchKey|Not Found|\[3011\]"
_REFUSED: Final = (
    r"NoCredentials|PermissionError|Forbidden|Unauthorized|AccessDenied|InvalidAccessKey"
    r"|SignatureDoesNotMatch|Auth failed|\[3010\]|\[3005\]|status=40[13]"
)
_SILENT: Final = (
    r"Cannot connect|Could not connect|Connect call failed|Connection (error|refused|reset)"
    r"|Invalid address|ServerDisconnected|Socket|Operation expired|Timeout"
)
_CUT: Final = r"expected Chunk of length"
_BUSY: Final = (
    r"\b(429|50[0234]), message|status=(429|50[0234])|SlowDown|ServiceUnavailable|InternalError"
    r"|TooManyRequests"
)
# Of a local or mounted file system: another try may find it in order.
_PASSING: Final = frozenset(
    getattr(errno, name)
    for name in (
        "EIO", "EAGAIN", "EBUSY", "EINTR", "EMFILE", "ENFILE", "ESTALE", "ETIMEDOUT", "EPIPE",
        "ECONNRESET", "ECONNREFUSED", "ECONNABORTED", "ENETDOWN", "ENETUNREACH", "EHOSTDOWN",
        "EHOSTUNREACH", "ENOLINK", "EREMOTEIO",
    )
    if hasattr(errno, name)
)  # fmt: skip
_CREDENTIALS: Final = (
    "access is refused. Check your credentials (for s3 AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY, for root X509_USER_PROXY or BEARER_TOKEN)"
)
_MEANINGS: Final = (
    (_CUT, "it ends too early. It is truncated, or the server sends a part of it only"),
    (_SILENT, "no server answers there. Check the host and the port"),
    (_REFUSED, _CREDENTIALS),
    (_GONE, "there is no such file or directory. Check the name"),
)


def is_remote(file: str) -> bool:
    """Whether a file is named by a URL."""
    return "://" in file


def protocol_of(url: str) -> str:
    """What stands before ``://``, in lower case."""
    return url.partition("://")[0].lower()


def shown(text: str) -> str:
    """A URL, or a message with URLs, without user, password and query: for people and logs.

    Examples
    --------
    >>> shown("https://me:secret@host/x.root?X-Amz-Signature=abc")
    'https://host/x.root?...'
    >>> shown("cannot open root://host//store/x.root?authz=abc: no such file")
    'cannot open root://host//store/x.root?... no such file'
    """
    if "?" not in text and "@" not in text:
        return text
    without_user = _USER.sub(r"\1", text)
    return _BARE_QUERY.sub("?...", _QUERY.sub(r"\1?...", without_user))


def identity(url: str) -> str:
    """What tells one URL from another in a key: a digest stands for the query, no user is there.

    Examples
    --------
    >>> identity("root://host//store/x.root")
    'root://host//store/x.root'
    >>> identity("https://host/get?file=1") == identity("https://host/get?file=2")
    False
    """
    path, mark, query = _USER.sub(r"\1", url).partition("?")
    return f"{path}?{hashlib.sha256(query.encode()).hexdigest()[:16]}" if mark else path


def has_magic(url: str) -> bool:
    """Whether the path of a URL is a glob; ``?`` begins a query and is none.

    Examples
    --------
    >>> has_magic("root://host//store/x_*.root"), has_magic("http://[::1]:80/x.root?sign=a*b")
    (True, False)
    """
    host = _HOST.match(url)
    path = url[host.end() if host else 0 :].partition("?")[0]
    return "*" in path or "[" in path


def match(url: str) -> list[str]:
    """URLs of the files that match a glob, sorted; none is no error.

    Raises
    ------
    Exception
        One of `errors`, if there is no server or no such directory.
    """
    system, path = _system(url)
    found = system.glob(path, detail=True)
    if not found:
        # A glob is empty as well where no server answers: only asking for the folder tells.
        system.ls(re.split(r"[*\[]", path, maxsplit=1)[0].rpartition("/")[0] or "/")
    files = [name for name, about in found.items() if about["type"] != "directory"]
    return sorted(_named(url, system.unstrip_protocol(name)) for name in files)


def folder(url: str, pattern: str) -> list[str]:
    """URLs of the listings (``*.txt``) in a directory; where there is none, of its files.

    Raises
    ------
    Exception
        One of `errors`, if there is no server or no such directory.
    """
    inside = url.rstrip("/") + "/"
    return match(f"{inside}*.txt") or match(inside + pattern)


def read_text(url: str) -> str:
    """Contents of a small text file.

    Raises
    ------
    Exception
        One of `errors`, if it cannot be read.
    UnicodeDecodeError
        If it is no text.
    """
    system, path = _system(url)
    with system.open(path, "rb") as file:
        return str(file.read().decode("utf-8"))


def _named(url: str, found: str) -> str:
    """A name that was found, with the host as the user wrote it: XRootD adds the port."""
    mine, other = _HOST.match(url), _HOST.match(found)
    if protocol_of(url) != "root" or mine is None or other is None:
        return found
    return mine.group() + found[other.end() :]


def _system(url: str) -> tuple[Any, str]:
    """File system of a URL, which asks the server each time, and the path in it."""
    import fsspec

    check_packages(url)
    system, path = fsspec.core.url_to_fs(url, use_listings_cache=False)
    return system, path


# -- before a file is opened -----------------------------------------------------------------


def check_packages(url: str) -> None:
    """Make sure that the packages for a protocol are there, and do not wait for long.

    Raises
    ------
    ImportError
        If one is missing; the message names the extra.
    """
    protocol = protocol_of(url)
    if protocol not in _NEEDS:
        return
    extra, modules = _NEEDS[protocol]
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise ImportError(
            f"{protocol}:// needs {' and '.join(missing)}, which is not installed. "
            f"Install hepflow[{extra}]"
        )
    if protocol == "root":
        _be_patient_for_a_while()


def _be_patient_for_a_while() -> None:
    client: Any = importlib.import_module("XRootD.client")  # its functions have no types
    for name, value in _PATIENCE.items():
        if f"XRD_{name.upper()}" not in os.environ:
            client.EnvPutInt(name, value)


def check_served(url: str) -> None:
    """Make sure that parts of a file can be read, before it is opened.

    A server that ignores byte ranges answers with the whole file, and what stands at its
    beginning would be taken for the part that was asked for.

    Raises
    ------
    UnreadableFile
        If the server ignores ranges, or a package is missing.
    """
    try:
        check_packages(url)
    except ImportError as error:
        raise UnreadableFile(f"{shown(url)}: {reason(url, error)}.") from error
    if protocol_of(url) not in {"http", "https"}:
        return
    try:
        status = _status_of_a_part(url)
    except errors() as error:
        # The library's own text and traceback may hold the credentials of the URL.
        raise UnreadableFile(f"{shown(url)}: {reason(url, error)}.") from None
    if status == 200:  # noqa: PLR2004 - OK, while a part is 206
        raise UnreadableFile(
            f"{shown(url)}: the server ignores byte ranges, so that no part of the file can be "
            "read. Use a server with ranges (nginx, Apache, XRootD), or download the file."
        )


def _status_of_a_part(url: str) -> int:
    """HTTP status of the answer to a request for one byte."""
    from fsspec.asyn import sync

    system, path = _system(url)

    async def ask() -> int:
        session = await system.set_session()
        headers = {**system.kwargs.get("headers", {}), "Range": "bytes=1-1"}
        arguments = {**system.kwargs, "headers": headers}
        async with session.get(system.encode_url(path), **arguments) as answer:
            return int(answer.status)

    return int(sync(system.loop, ask))


# -- when it fails ---------------------------------------------------------------------------


def transport_errors() -> tuple[type[BaseException], ...]:
    """What the libraries raise where a server does not hand something out."""
    found: list[type[BaseException]] = [OSError, ImportError]
    # Libraries that are not loaded have not raised anything.
    if "aiohttp" in sys.modules:
        found.append(sys.modules["aiohttp"].ClientError)
    if "botocore.exceptions" in sys.modules:
        botocore = sys.modules["botocore.exceptions"]
        found += [botocore.BotoCoreError, botocore.ClientError]
    return tuple(found)


def errors() -> tuple[type[BaseException], ...]:
    """`transport_errors`, and what is raised where a URL makes no sense to the libraries."""
    return (*transport_errors(), ValueError, NotImplementedError, RuntimeError)


def is_transient(error: BaseException) -> bool:
    """Whether a further try may succeed: the network or the file system was in the way.

    Parameters
    ----------
    error
        With what it was raised from, also where that is not to be shown.
    """
    chain = _chain(error)
    if any(isinstance(one, OSError) and one.errno in _PASSING for one in chain):
        return True
    if any(isinstance(one, TimeoutError | ConnectionError) for one in chain):
        return True
    # Texts of these libraries, not of a user's function: only they speak of servers.
    far = tuple(kind for kind in transport_errors() if kind is not ImportError)
    told = " ".join(_words_of(one) for one in chain if isinstance(one, far))
    return bool(re.search(f"{_SILENT}|{_CUT}|{_BUSY}", told, re.IGNORECASE))


def _chain(error: BaseException | None) -> list[BaseException]:
    """An error and all that it was raised from or in the handling of."""
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def reason(url: str, error: BaseException) -> str:
    """Why something remote cannot be used and what to do, without credentials or a full stop."""
    told = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
    if isinstance(error, ImportError):
        return told
    if "Protocol not known" in told:
        return (
            f"{protocol_of(url)!r} is no protocol that can be read. "
            "Expected root://, https://, http:// or s3://"
        )
    everything = _with_causes(error)
    for pattern, meaning in _MEANINGS:
        if re.search(pattern, everything, re.IGNORECASE):
            return meaning
    return f"{type(error).__name__}: {shown(told)}"


def _with_causes(error: BaseException | None) -> str:
    """Types and texts of an error and its causes: fsspec says of a silent server "not found".

    Paths are taken out: a file may have any name.
    """
    found = []
    while error is not None:
        found.append(_words_of(error))
        error = error.__cause__
    return " ".join(found)


def _words_of(error: BaseException) -> str:
    return " ".join([*(one.__name__ for one in type(error).__mro__), _PATH.sub(" ", str(error))])
