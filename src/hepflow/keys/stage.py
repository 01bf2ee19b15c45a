"""Keys of stages: what cannot be fingerprinted disables reuse, with a notice."""

from __future__ import annotations

import contextlib
import logging
import uuid
from collections.abc import Callable
from typing import Any

from hepflow.errors import HepflowError
from hepflow.keys.hashing import CannotFingerprint, fingerprint_and_numbers, stable_hash
from hepflow.keys.key import Key
from hepflow.keys.modules import library_version

_log = logging.getLogger(__name__)


def make_key(stage: str, **values: Any) -> Key:
    """Key of a stage's result from the values that it depends on.

    A value that has no stable hash gets a digest that never comes back, so that the stage is
    done anew each time; the log says why.

    Parameters
    ----------
    stage : str
    **values
        The named parts.
    """
    parts = {name: _digest(stage, name, value) for name, value in values.items()}
    return Key(stage, {**parts, "hepflow": library_version("hepflow")})


def _digest(stage: str, name: str, value: Any) -> str:
    try:
        return stable_hash(value)
    except CannotFingerprint as error:
        _log.warning("%s: nothing is reused, because of %r: %s", stage, name, error)
        return f"unique:{uuid.uuid4()}"


def describe_function(function: Callable[..., Any]) -> dict[str, Any]:
    """Name and fingerprint of a function, and the numbers it reads, for the record of a run."""
    module = getattr(function, "__module__", None) or type(function).__module__
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    digest: str | None = None
    numbers: dict[str, str] = {}
    with contextlib.suppress(HepflowError):  # the stage that calls it says so
        digest, numbers = fingerprint_and_numbers(function)
    return {"function": f"{module}:{name}", "fingerprint": digest, "reads": numbers}
