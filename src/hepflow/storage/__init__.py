"""Files that are whole or absent: atomic writes, checksums, parts, safe loading, safe paths."""

from __future__ import annotations

from hepflow.storage.archives import open_zip
from hepflow.storage.arrays import check_layout, pack_array, unpack_array
from hepflow.storage.atomic import atomic_write, atomic_writer, remove_stale_temporaries
from hepflow.storage.digests import check_unchanged, file_stamp, sha256_bytes, sha256_file
from hepflow.storage.folders import file_name, forget_oldest, mark_used, private_folder, safe_join
from hepflow.storage.jsonfile import read_json, write_json
from hepflow.storage.parts import read_part, write_part
from hepflow.storage.special import refuse_special, special_file
from hepflow.storage.strictjson import parse_json
from hepflow.storage.typed import as_record
from hepflow.storage.yamlfile import read_yaml

__all__ = [
    "as_record",
    "atomic_write",
    "atomic_writer",
    "check_layout",
    "check_unchanged",
    "file_name",
    "file_stamp",
    "forget_oldest",
    "mark_used",
    "open_zip",
    "pack_array",
    "parse_json",
    "private_folder",
    "read_json",
    "read_part",
    "read_yaml",
    "refuse_special",
    "remove_stale_temporaries",
    "safe_join",
    "sha256_bytes",
    "sha256_file",
    "special_file",
    "unpack_array",
    "write_json",
    "write_part",
]
