"""Files that are whole or absent: atomic writes, checksums, parts, safe loading, safe paths."""

from __future__ import annotations

from hepflow.storage.arrays import pack_array, unpack_array
from hepflow.storage.atomic import atomic_write, atomic_writer, remove_stale_temporaries
from hepflow.storage.digests import file_stamp, sha256_bytes, sha256_file
from hepflow.storage.folders import forget_oldest, mark_used, private_folder, safe_join
from hepflow.storage.jsonfile import read_json, write_json
from hepflow.storage.parts import read_part, write_part

__all__ = [
    "atomic_write",
    "atomic_writer",
    "file_stamp",
    "forget_oldest",
    "mark_used",
    "pack_array",
    "private_folder",
    "read_json",
    "read_part",
    "remove_stale_temporaries",
    "safe_join",
    "sha256_bytes",
    "sha256_file",
    "unpack_array",
    "write_json",
    "write_part",
]
