"""What an unpickler of foreign files gives out instead of the classes that the file names."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import StorageError

_NUMBERS = re.compile(r"^[<>|=]?[iufb][1248]$")
_SHOWN = 40  # characters of what a file says that a message quotes
_MAX_AXES = 32  # of boost-histogram
_AT_AXES = 1  # where the number of axes stands in the state of a histogram
_WORDS = {"weight": 2, "mean": 3, "weighted_mean": 4}  # 8-byte words a cell; 1 for the others


class Opaque:
    """Takes the place of what is not looked at, whatever it is made of."""

    __slots__ = ()

    def __new__(cls, *_: Any) -> Self:
        """Ignore all arguments."""
        return super().__new__(cls)

    def __setstate__(self, state: Any) -> None:
        """Keep nothing."""


class Text(str):
    """Text as pickled by name: of texts only, as anything else would be written out."""

    __slots__ = ()

    def __new__(cls, value: Any = "", *_: Any) -> Self:
        """Take a text."""
        if not isinstance(value, str):
            raise ValueError(f"a text made of a {type(value).__name__}")  # noqa: TRY004 - of the file
        return super().__new__(cls, value)


def frozen(items: Any = ()) -> frozenset[Any]:
    """Frozen set of texts and numbers; of anything else, hashing it may end the program.

    Raises
    ------
    ValueError
        It has other members.
    """
    members = list(items) if isinstance(items, Sequence | set) else [None]
    if not all(isinstance(one, str | bytes | int | float) for one in members):
        raise ValueError("a frozen set of something else than texts and numbers")
    return frozenset(members)


class Dtype:
    """Type of the elements of an array, as text."""

    __slots__ = ("byte_order", "text")
    text: Any
    byte_order: str

    def __new__(cls, text: Any = "", *_: Any) -> Self:
        """Keep the name of the type; its arguments for alignment and copying do not matter."""
        one = super().__new__(cls)
        one.text, one.byte_order = text, ""
        return one

    def __setstate__(self, state: Any) -> None:
        """Keep the byte order; fields are for `numpy` to refuse."""
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else ""
        self.byte_order = order if isinstance(order, str) else ""

    def resolve(self) -> np.dtype[Any]:
        """Return the type, which is a number.

        Raises
        ------
        StorageError
            It is something else.
        """
        order = self.byte_order if self.byte_order in {"<", ">"} else ""
        text = f"{order}{self.text}" if isinstance(self.text, str) else ""
        if not _NUMBERS.match(text):
            shown = text[:_SHOWN] if isinstance(self.text, str) else type(self.text).__name__
            raise StorageError(f"a histogram with an array of {shown!r} instead of numbers")
        return np.dtype(text)


class Array:
    """An array as pickled: shape, type and bytes."""

    __slots__ = ("data", "dtype", "shape")
    data: Any
    dtype: Any
    shape: Any

    def __new__(cls, *_: Any) -> Self:
        """Make an empty one, as `numpy` does before the state is set."""
        one = super().__new__(cls)
        one.data, one.dtype, one.shape = b"", None, ()
        return one

    def __setstate__(self, state: Any) -> None:
        """Keep shape, type and bytes of ``(version, shape, dtype, is_fortran, data)``."""
        _, self.shape, self.dtype, _, self.data = state

    def resolve(self) -> NDArray[Any]:
        """Return the array, which has one dimension.

        Raises
        ------
        StorageError
            The shape and the bytes do not fit, or the elements are not numbers.
        """
        if not isinstance(self.dtype, Dtype) or not isinstance(self.data, bytes | bytearray):
            raise StorageError("a histogram with an array that is not one of numbers")
        found = np.frombuffer(self.data, dtype=self.dtype.resolve()).copy()
        if self.shape != found.shape:
            raise StorageError(f"an array of another shape than its {len(found)} elements")
        return found


class Buffer(Array):
    """An array as pickled by protocol 5: bytes, type, shape and order."""

    __slots__ = ()

    def __new__(cls, data: Any, dtype: Any, shape: Any, *_: Any) -> Self:
        """Keep what is given."""
        one = super().__new__(cls)
        one.data, one.dtype, one.shape = data, dtype, shape
        return one


class Core:
    """A histogram of boost-histogram's core as pickled: axes and storage in one tuple."""

    __slots__ = ("state",)
    state: Any
    storage: ClassVar[str] = ""

    def __new__(cls, *_: Any) -> Self:
        """Make an empty one; axes come with the state."""
        one = super().__new__(cls)
        one.state = ()
        return one

    def __setstate__(self, state: Any) -> None:
        """Keep the state."""
        self.state = state

    @classmethod
    def of(cls, storage: str) -> type[Core]:
        """Return the stand-in for histograms of one storage."""
        return type(f"Core_{storage}", (cls,), {"storage": storage, "__slots__": ()})

    def resolve(self) -> Any:
        """Return the histogram of the core, with a storage that fits to the axes.

        Raises
        ------
        StorageError
            The state is not that of a histogram.
        """
        import boost_histogram as bh

        state = self._checked()
        kind = getattr(bh._core.hist, f"any_{self.storage}")  # noqa: SLF001 - pickles name it
        core = kind.__new__(kind)
        core.__setstate__(state)
        extents = [core.axis(i).extent for i in range(core.rank())]
        words = math.prod(extents) * _WORDS.get(self.storage, 1)
        if any(extent < 1 for extent in extents) or state[-1].nbytes != 8 * words:
            raise StorageError(f"a histogram with axes of {extents} bins, which its storage is not")
        return core

    def _checked(self) -> tuple[Any, ...]:
        if not isinstance(self.state, tuple) or len(self.state) <= _AT_AXES:
            raise StorageError("a histogram without content")
        axes = self.state[_AT_AXES]
        if not isinstance(axes, int) or not 0 < axes <= _MAX_AXES:
            raise StorageError(f"a histogram of another number of axes than 1 to {_MAX_AXES}")
        state = tuple(_plain(one) for one in self.state)
        if not isinstance(state[-1], np.ndarray):
            raise StorageError("a histogram without storage")
        return state


def _plain(value: Any) -> Any:
    """Numbers, texts and arrays of numbers; of other things only what an axis is called."""
    if isinstance(value, Array):
        return value.resolve()
    if isinstance(value, dict):
        return {k: v for k, v in value.items() if isinstance(k, str) and isinstance(v, str)}
    if value is None or isinstance(value, int | float | str):
        return value
    if isinstance(value, Sequence) and all(isinstance(one, str) for one in value):
        return list(value)
    raise StorageError(f"a histogram with a {type(value).__name__} in its axes")


class StoredHistogram:
    """A histogram of hist or boost-histogram as pickled; `build` makes it."""

    __slots__ = ("core",)
    core: Any

    def __new__(cls, *_: Any) -> Self:
        """Make an empty one."""
        one = super().__new__(cls)
        one.core = None
        return one

    def __setstate__(self, state: Any) -> None:
        """Keep the core of ``(0, attributes)``, or of the older ``attributes``."""
        attributes = state[1] if isinstance(state, tuple) else state
        self.core = attributes.get("_hist") if isinstance(attributes, Mapping) else None

    def build(self) -> Any:
        """Return the `hist.Hist`.

        Raises
        ------
        StorageError
            The content is not that of a histogram.
        """
        import boost_histogram as bh
        import hist

        if not isinstance(self.core, Core):
            raise StorageError("a pickle of a histogram that holds none")
        try:
            return hist.Hist(bh.Histogram(self.core.resolve()))
        except (RuntimeError, IndexError, ValueError, TypeError, KeyError, MemoryError) as error:
            raise StorageError(f"a histogram that cannot be read: {error}") from error
