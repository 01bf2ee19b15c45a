"""Decompress blocks of ROOT files into buffers of the size that they announce, and not more."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

# Name in uproot.compression -> codec of imagecodecs, which has libdeflate and a current liblzma.
# LZ4 is as fast, and bounded, in uproot.
_ALGORITHMS = {
    "_decompress_ZLIB": "deflate",
    "_decompress_LZMA": "lzma",
    "_decompress_ZSTD": "zstd",
}


class _Bounded:
    """Takes the place of one of uproot's decompressors.

    uproot hands a block to a library that returns all that is in it, and compares the size
    afterwards: 16 MB of zlib hold up to 16 GB, of zstd much more. Into a buffer of the announced
    size nothing else fits, and libdeflate takes half of the time.
    """

    def __init__(self, original: Any, codec: str) -> None:
        import imagecodecs

        self._2byte, self.name = original._2byte, original.name  # noqa: SLF001 - uproot reads it
        self._decode = getattr(imagecodecs, f"{codec}_decode")
        self._damaged = (getattr(imagecodecs, f"{codec.capitalize()}Error"), ValueError)

    def decompress(self, data: Any, uncompressed_bytes: int | None = None) -> Any:
        """Return the bytes of a block.

        Raises
        ------
        ValueError
            They are more than announced, or damaged.
        """
        size = uncompressed_bytes or 0
        output = np.empty(size + 1, dtype=np.uint8)  # one more: what fills it is too much
        try:
            found = self._decode(data, out=output)
        except self._damaged as error:
            raise ValueError(f"a block of {size} bytes cannot be decompressed: {error}") from error
        if len(found) > size:
            raise ValueError(f"a block of {size} bytes cannot be decompressed: it has more")
        return found


@functools.cache
def bound_decompression() -> None:
    """Have uproot decompress no more than a block announces, in this process."""
    from uproot import compression

    for name, codec in _ALGORITHMS.items():
        original = getattr(compression, name, None)
        if original is not None:
            setattr(compression, name, _Bounded(original, codec))
