"""A zip file of which there is but one for given contents: no times, no compression.

Written here, byte by byte, so that no version of a library makes it another one. Source: the
format as PKWARE describes it (APPNOTE 6.3), without its 64-bit extension.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Final

from hepflow.errors import StorageError

_LOCAL: Final = struct.Struct("<4s5H3I2H")
_CENTRAL: Final = struct.Struct("<4s6H3I5H2I")
_END: Final = struct.Struct("<4s4H2IH")
_VERSION: Final = 20  # 2.0
_UNIX: Final = 3 << 8  # the attributes are those of Unix
_UTF8: Final = 1 << 11  # how names are written
_TIME: Final = 0  # midnight
_DATE: Final = (1 << 5) | 1  # 1 January 1980, the first day that the format knows
_MODE: Final = 0o100644 << 16  # a plain file, which all may read
_LARGEST: Final = 0xFFFF_FFFF  # [byte]
_MOST: Final = 0xFFFF  # entries


def zip_pieces(entries: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
    """Bytes of the zip file, piece by piece.

    Parameters
    ----------
    entries
        Name and content of each file, in the order of their names.

    Raises
    ------
    StorageError
        They are more than such a file holds: 4 GB, or 65 535 files.
    """
    offset, count, directory = 0, 0, bytearray()
    for name, content in entries:
        text = name.encode()
        common = (_UTF8, 0, _TIME, _DATE, zlib.crc32(content), len(content), len(content))
        head = _LOCAL.pack(b"PK\3\4", _VERSION, *common, len(text), 0) + text
        count += 1
        if count > _MOST or offset + len(head) + len(content) > _LARGEST:
            raise StorageError(
                "the bundle is too large for a zip file (4 GB, 65 535 files). Write a folder: "
                "leave out .zip in --output."
            )
        directory += _CENTRAL.pack(
            *(b"PK\1\2", _UNIX | _VERSION, _VERSION, *common, len(text)),
            *(0, 0, 0, 0, _MODE, offset),
        )
        directory += text
        yield head
        yield content
        offset += len(head) + len(content)
    if offset + len(directory) > _LARGEST:
        raise StorageError("the bundle is too large for a zip file. Write a folder.")
    yield bytes(directory)
    yield _END.pack(b"PK\5\6", 0, 0, count, count, len(directory), offset, 0)
