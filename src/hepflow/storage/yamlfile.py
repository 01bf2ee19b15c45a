"""YAML of others: plain values only, and no more of them than the file has lines for."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from hepflow.errors import StorageError
from hepflow.storage.atomic import storage_errors
from hepflow.storage.special import refuse_special

MAX_VALUES = 1_000_000  # with what aliases repeat
MAX_BYTES = 64 << 20  # [byte] of a file
_DEPTH = 100  # of nesting


def read_yaml(path: str | Path) -> Any:
    """Read a YAML file of plain values.

    Raises
    ------
    UnsafeContent
        It is a named pipe or a device.
    StorageError
        It can't be read, is no YAML, asks for a Python object, has a key twice, is nested too
        deep, or its aliases repeat more than a million values.
    """
    import yaml

    path = Path(path)
    refuse_special(path)
    with storage_errors(path, "read"):
        size = path.stat().st_size
        text = path.read_bytes() if size <= MAX_BYTES else b""
    if size > MAX_BYTES:
        raise StorageError(f"{path} has {size} bytes; a YAML file of at most {MAX_BYTES} is read.")
    try:
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _count(node, {}, 0)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        reason = "it is nested too deep" if isinstance(error, RecursionError) else str(error)
        raise StorageError(f"{path} is not a YAML file of plain values: {reason}") from error


def _count(node: Any, known: dict[int, int], depth: int) -> int:
    """Values in a node, those that aliases repeat as often as they are repeated."""
    import yaml

    if id(node) in known:
        found = known[id(node)]
        if not found:
            raise ValueError("an alias refers to what it is in")
        return found
    if depth > _DEPTH:
        raise ValueError("it is nested too deep")
    known[id(node)] = 0
    total = 1
    if isinstance(node, yaml.MappingNode):
        _check_keys(node)
        for pair in node.value:
            total += sum(_count(one, known, depth + 1) for one in pair)
    elif isinstance(node, yaml.SequenceNode):
        total += sum(_count(one, known, depth + 1) for one in node.value)
    if total > MAX_VALUES:
        raise ValueError(f"its aliases repeat more than {MAX_VALUES} values")
    known[id(node)] = total
    return total


def _check_keys(node: Any) -> None:
    """Refuse a repeated key, of which YAML takes the last."""
    import yaml

    names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
    if len(set(names)) < len(names):
        twice, _ = Counter(names).most_common(1)[0]
        raise ValueError(f"the key {twice[:60]!r} is there twice")
