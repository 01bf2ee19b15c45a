"""Read the pickles of other frameworks without running anything that stands in them.

The unpickler gives out stand-ins only: no class of numpy, hist or boost-histogram is called with
what a file says. Histograms are built afterwards from the checked plain numbers, because these
libraries trust a pickle: numpy takes pointers from a buffer of objects, and boost-histogram a
storage that is smaller than its axes.
"""

from __future__ import annotations

import collections
import gzip
import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from hepflow.errors import StorageError, UnsafeContent
from hepflow.importers.standins import (
    Array,
    Buffer,
    Core,
    Dtype,
    Opaque,
    StoredHistogram,
    Text,
    frozen,
)
from hepflow.storage import refuse_special
from hepflow.storage.pickles import check_pickle

MAX_BYTES = 4 << 30  # [byte] of a file when decompressed
_BLOCK = 1 << 20  # [byte]

_LZ4, _GZIP = b"\x04\x22\x4d\x18", b"\x1f\x8b"

_STORAGES = ("double", "int64", "atomic_int64", "weight", "mean", "weighted_mean")
_COFFEA = "coffea.processor.accumulator"

# What a pickle may name, and what stands in for it. Subclasses of containers become the container.
_ADMITTED: dict[tuple[str, str], Any] = {
    **{("builtins", one.__name__): one for one in (dict, list, set, int, float, bool, complex)},
    # What can't be hashed, and no text of a container that a few bytes let expand to anything.
    ("builtins", "tuple"): list,
    ("builtins", "frozenset"): frozen,
    ("builtins", "str"): Text,
    ("collections", "defaultdict"): collections.defaultdict,
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("collections", "Counter"): dict,
    (_COFFEA, "dict_accumulator"): dict,
    (_COFFEA, "list_accumulator"): list,
    (_COFFEA, "set_accumulator"): set,
    (_COFFEA, "defaultdict_accumulator"): collections.defaultdict,
    (_COFFEA, "value_accumulator"): Opaque,
    (_COFFEA, "column_accumulator"): Opaque,
    ("numpy", "dtype"): Dtype,
    ("numpy", "ndarray"): Opaque,
    **{
        (f"numpy.{core}.{module}", name): stand_in
        for core in ("core", "_core")
        for module, name, stand_in in (
            ("multiarray", "_reconstruct", Array),
            ("multiarray", "scalar", Opaque),
            ("numeric", "_frombuffer", Buffer),
        )
    },
    ("boost_histogram.histogram", "Histogram"): StoredHistogram,
    ("boost_histogram._internal.hist", "Histogram"): StoredHistogram,
    ("hist.hist", "Hist"): StoredHistogram,
    ("hist.basehist", "BaseHist"): StoredHistogram,
    ("hist.namedhist", "NamedHist"): StoredHistogram,
    **{("boost_histogram._core.hist", f"any_{one}"): Core.of(one) for one in _STORAGES},
}


class _StandInUnpickler(pickle.Unpickler):
    """Knows stand-ins and plain containers, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in; a class or function without one is refused."""
        if (module, name) not in _ADMITTED:
            raise UnsafeContent(
                f"the file asks for {module}.{name}, which is not admitted: only histograms of "
                "hist and boost-histogram, numpy arrays and plain containers are read. If the "
                "file is your own, load it yourself, and hand over the histograms (from_hists) "
                "or save only these."
            )
        return _ADMITTED[module, name]

    def persistent_load(self, pid: Any) -> Any:
        """Refuse references to objects outside of the file."""
        raise UnsafeContent(f"the file refers to an object outside of it ({pid!r}).")


def load_stored(path: str | Path, *, max_bytes: int = MAX_BYTES) -> Any:
    """Read a file of `coffea.util.save` or of `pickle.dump`, compressed with lz4, gzip or not.

    Parameters
    ----------
    path : str or Path
    max_bytes : int
        Size of the decompressed content that is not exceeded [byte].

    Returns
    -------
    object
        Plain containers and `StoredHistogram`; arrays and numbers of numpy are opaque.

    Raises
    ------
    UnsafeContent
        It asks for a class or function that is not admitted, or is larger than `max_bytes`.
    StorageError
        It is missing, damaged, or not a pickle.
    """
    path = Path(path)
    try:
        refuse_special(path)
        data = _content(path, max_bytes)
        check_pickle(io.BytesIO(data), len(data), tree_only=False)
        return _StandInUnpickler(io.BytesIO(data)).load()
    except UnsafeContent as error:
        error.add_note(f"file: {path}")
        raise
    except FileNotFoundError as error:
        raise StorageError(f"{path} does not exist.") from error
    except (
        *(pickle.UnpicklingError, EOFError, OSError, RuntimeError),  # lz4 raises the last
        *(ValueError, TypeError, AttributeError, KeyError, IndexError),
        *(MemoryError, OverflowError, RecursionError, ImportError, SystemError),
    ) as error:
        raise StorageError(f"{path} is damaged or not a pickle of histograms: {error}") from error


def _content(path: Path, max_bytes: int) -> bytes:
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(0)
        with _decompressing(head)(file) as stream:
            return _limited(stream, max_bytes)


def _decompressing(head: bytes) -> Callable[[IO[bytes]], Any]:
    if head.startswith(_LZ4):
        import lz4.frame

        return lz4.frame.LZ4FrameFile  # type: ignore[no-any-return]  # it has no types
    if head.startswith(_GZIP):
        return lambda file: gzip.GzipFile(fileobj=file)
    return lambda file: file


def _limited(stream: IO[bytes], max_bytes: int) -> bytes:
    """All of a stream, in blocks: a small file may claim to hold a lot."""
    blocks, size = [], 0
    while block := stream.read(_BLOCK):
        size += len(block)
        if size > max_bytes:
            raise UnsafeContent(
                f"the file holds more than {max_bytes} bytes. If that is right, give max_bytes."
            )
        blocks.append(block)
    return b"".join(blocks)
