"""Keys of results: what a result depends on, so that it is loaded or made again."""

from __future__ import annotations

from hepflow.keys.hashing import CannotFingerprint, fingerprint, stable_hash
from hepflow.keys.key import FORMAT_VERSION, Key, changed_parts
from hepflow.keys.modules import is_user_module, library_version
from hepflow.keys.stage import describe_function, make_key
from hepflow.keys.values import AsRead

__all__ = [
    "FORMAT_VERSION",
    "AsRead",
    "CannotFingerprint",
    "Key",
    "changed_parts",
    "describe_function",
    "fingerprint",
    "is_user_module",
    "library_version",
    "make_key",
    "stable_hash",
]
