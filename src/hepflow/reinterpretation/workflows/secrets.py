"""Credentials are references; what looks like one is refused, and logs do not keep it."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from hepflow.errors import InputError
from hepflow.logging.values import MASK, is_secret
from hepflow.reinterpretation.workflows.commands import Verbatim
from hepflow.remote import shown

FROM_VARIABLE: Final = "env:"
FROM_FILE: Final = "file:"
_NAMED: Final = re.compile(
    r"(?i)(?:^|_|-)(?:pwd|bearer|pass[_-]?phrase|pass|pin|(?:api|private|access)-key)(?:$|_|-)"
)
_LOOKS: Final = re.compile(
    r"\beyJ[\w-]{8,}\.[\w-]{4,}\.[\w-]*"  # JSON web token
    r"|\bgh[pousr]_\w{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bxox[abprs]-[\w-]{10,}|\bhf_\w{20,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
_ASSIGNED: Final = re.compile(
    r"(?i)([\w-]*(?:passw(?:or)?d|token|secret|api_?key)[\w-]*\s*[=:]\s*|bearer\s+)([^\s'\",;&]+)"
)
_WITH_PASSWORD: Final = re.compile(r"://[^/\s:@]+:[^/\s@]+@")
_SHORTEST: Final = 6  # characters: what is shorter would blacken innocent text
_VARIABLE: Final = re.compile(r"[A-Za-z_]\w*")
# Each names a file, which holds the credential: the name may be known to every program.
TICKETS: Final = ("KRB5CCNAME", "X509_USER_PROXY", "BEARER_TOKEN_FILE")
_REMEDY: Final = (
    "Give a reference: env:NAME for an environment variable, file:PATH for a file of mode 0600; "
    "Kerberos tickets, proxies and token files are found by their own variables."
)


def refusal(name: str, value: Any) -> str | None:
    """Why a parameter can't be taken; None where it can. The value is never part of it.

    Examples
    --------
    >>> refusal("password", "env:VAULT_PASSWORD") is None
    True
    >>> refusal("mass", 400.0) is None
    True
    """
    for key, one in _leaves(name, value):
        text = str(one)
        if is_reference(key, one) or one is None:
            continue
        if _is_named(key):
            return f"{key!r} is named like a credential, and its value is not a reference"
        if _LOOKS.search(text) or _WITH_PASSWORD.search(text):
            return f"the value of {key!r} looks like a credential"
    return None


def is_reference(name: str, value: Any) -> bool:
    """Whether a value names where a credential is, and is not it.

    ``file:`` counts for parameters that are named like a credential only: it begins URLs as well.
    """
    if not isinstance(value, str):
        return False
    return value.startswith(FROM_VARIABLE) or (_is_named(name) and value.startswith(FROM_FILE))


def references(name: str, value: Any) -> list[str]:
    """All references to credentials in a value."""
    return [str(one) for key, one in _leaves(name, value) if is_reference(key, one)]


def _is_named(name: str) -> bool:
    return is_secret(name) or bool(_NAMED.search(name))


def remedy() -> str:
    """What to do instead of writing a credential down."""
    return _REMEDY


def followed(value: str) -> Verbatim | str:
    """What a command gets for a reference: the variable's expansion, or the path of the file.

    Raises
    ------
    InputError
        The variable is not set; the file is missing, another user's, or readable by others.
    """
    kind, _, name = value.partition(":")
    if f"{kind}:" == FROM_FILE:
        return str(private_file(Path(name).expanduser().absolute()))
    if not _VARIABLE.fullmatch(name) or name not in os.environ:
        raise InputError(f"env:{name}: there is no such environment variable. Set and export it.")
    return Verbatim(f"${{{name}}}")


def private_file(path: Path) -> Path:
    """Check that a file with a credential is its owner's alone.

    Raises
    ------
    InputError
        It is missing, another user's, or others may read it.
    """
    if not path.is_file():
        raise InputError(f"{path}: there is no such file with a credential.")
    status = path.stat()
    mode = stat.S_IMODE(status.st_mode)
    if status.st_uid != os.geteuid() or mode & 0o077:
        raise InputError(
            f"{path} holds a credential, and its mode is {mode:04o} (owner {status.st_uid}). "
            f"Others may not read it: chmod 600 {path}"
        )
    return path


class Redaction:
    """Takes credentials out of texts: those that are known, and what looks like one."""

    def __init__(self, values: Iterator[str] | list[str]) -> None:
        lines = {line.strip() for value in values for line in value.splitlines()}
        known = sorted((line for line in lines if len(line) >= _SHORTEST), key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, text: str) -> str:
        """Return the text with ``***`` for each credential, and URLs without user and query."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        text = _ASSIGNED.sub(rf"\g<1>{MASK}", _LOOKS.sub(MASK, text))
        return shown(text) if "://" in text else text


def known_secrets(credentials: Sequence[str]) -> list[str]:
    """Values that no log may show: of the referred-to credentials and of the environment.

    Parameters
    ----------
    credentials
        References, as in the inputs.
    """
    found = [value for name, value in os.environ.items() if is_secret(name) and name not in TICKETS]
    for reference in credentials:
        kind, _, name = reference.partition(":")
        if f"{kind}:" == FROM_VARIABLE:
            found.append(os.environ.get(name, ""))
        else:
            content = Path(name).expanduser().read_bytes()[: 1 << 20]
            found.append(content.decode(errors="replace"))
    return found


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, one in value.items():
            # What stands below a name like "token" is a credential as well.
            below = f"{name}.{key}" if is_secret(name) else str(key)
            yield from _leaves(below, one)
    elif isinstance(value, list):
        for one in value:
            yield from _leaves(name, one)
    else:
        yield name, value
