"""Decompress blocks of ROOT files into buffers of the size that they announce, and not more."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

# Name in uproot.compression -> module of cramjam
_ALGORITHMS = {"_decompress_ZLIB": "zlib", "_decompress_LZMA": "xz", "_decompress_ZSTD": "zstd"}


class _Bounded:
    """Takes the place of one of uproot's decompressors.

    uproot hands a block to a library that returns all that is in it, and compares the size
    afterwards: 16 MB of zlib hold up to 16 GB, of zstd much more. Into a buffer of the announced
    size nothing else fits, and it takes no longer.
    """

    def __init__(self, original: Any, library: Any, damaged: type[Exception]) -> None:
        self._2byte, self.name = original._2byte, original.name  # noqa: SLF001 - uproot reads it
        self._library, self._damaged = library, damaged

    def decompress(self, data: Any, uncompressed_bytes: int | None = None) -> Any:
        """Return the bytes of a block.

        Raises
        ------
        ValueError
            They are more than announced, or damaged.
        """
        output = np.empty(uncompressed_bytes or 0, dtype=np.uint8)
        try:
            count = self._library.decompress_into(data, output)
        except self._damaged as error:
            raise ValueError(
                f"a block of {len(output)} bytes cannot be decompressed: {error}"
            ) from error
        return output[:count]


@functools.cache
def bound_decompression() -> None:
    """Have uproot decompress no more than a block announces, in this process."""
    import cramjam
    from uproot import compression

    for name, module in _ALGORITHMS.items():
        original = getattr(compression, name, None)
        library = getattr(cramjam, module, None)
        if original is not None and hasattr(library, "decompress_into"):
            setattr(compression, name, _Bounded(original, library, cramjam.DecompressionError))
