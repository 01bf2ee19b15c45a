"""Modules of the user's that an analysis needs: found by their imports, read and not run."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib.machinery import SOURCE_SUFFIXES, ModuleSpec
from pathlib import Path
from typing import Final

from hepflow.keys.modules import is_library

# A URL with user and password, or with a signed query; not where a variable fills them in.
_CREDENTIALS: Final = re.compile(
    r"""://[^/\s'"@:]+:[^/\s'"@{}%]+@"""
    r"""|[?&][\w-]*(?:authz|token|signature|password|passwd|secret|credential)[\w-]*="""
    r"""[^&\s'"{}%]+""",
    re.IGNORECASE,
)
_READS: Final = {"open", "__file__", "environ", "getenv", "import_module", "__import__"}


@dataclass
class UserCode:
    """Source files of the user's modules."""

    files: dict[str, bytes] = field(default_factory=dict)  # name below code/ -> content
    modules: dict[str, None] = field(default_factory=dict)  # as they are imported, in order
    libraries: dict[str, None] = field(default_factory=dict)  # top-level names that they import
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def user_code(names: Iterable[str]) -> UserCode:
    """Sources of modules, and of all modules of the user's that they import.

    Parameters
    ----------
    names
        Modules; those of libraries count as such.
    """
    found = UserCode()
    todo = list(names)
    while todo:
        name = todo.pop()
        if name in found.modules or not name:
            continue
        if is_library(name):
            found.libraries[name.partition(".")[0]] = None
            continue
        todo += _add(found, name)
    return found


def _add(found: UserCode, name: str) -> list[str]:
    """Add a module; the modules that it imports, and the packages it is in."""
    spec = _spec(name)
    if spec is None:
        return []  # an attribute of a package, or an import that is allowed to fail
    found.modules[name] = None
    parents = [name.rpartition(".")[0]]
    place = name.replace(".", "/")
    if spec.submodule_search_locations is not None:
        place += "/__init__"
    if spec.origin is None or not spec.has_location:
        # A package without a file of its own would be joined with folders of its name elsewhere.
        found.files[f"{place}.py"] = b""
        return parents
    path = Path(spec.origin)
    if path.suffix not in SOURCE_SUFFIXES:
        found.problems.append(
            f"{name} is no Python source ({path}): it cannot be taken along. Make it a package "
            "that is installed"
        )
        return parents
    content = path.read_bytes()
    found.files[f"{place}.py"] = content
    is_package = spec.submodule_search_locations is not None
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError) as error:
        found.problems.append(f"{name} cannot be read ({path}: {error})")
        return parents
    found.problems += _secrets(name, content)
    found.remarks += _reads(name, tree)
    return parents + list(imports_of(tree, name, is_package=is_package))


def _spec(name: str) -> ModuleSpec | None:
    loaded = sys.modules.get(name)
    spec = getattr(loaded, "__spec__", None)
    if isinstance(spec, ModuleSpec):
        return spec
    try:
        return importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return None


def imports_of(tree: ast.AST, name: str, *, is_package: bool) -> Iterator[str]:
    """Names of what a module imports, anywhere in it; some may be no modules.

    Parameters
    ----------
    tree
        The parsed source.
    name
        Of the module, for relative imports.
    is_package
        Whether it is the file of a package.

    Examples
    --------
    >>> tree = ast.parse("from . import cuts; import numpy as np")
    >>> list(imports_of(tree, "user.skim", is_package=False))
    ['user', 'user.cuts', 'numpy']
    """
    package = name.split(".") if is_package else name.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            yield source
            yield from (f"{source}.{one.name}" for one in node.names if one.name != "*")


def _secrets(name: str, content: bytes) -> Iterator[str]:
    text = content.decode("utf-8", "replace")
    for number, line in enumerate(text.splitlines(), start=1):
        if _CREDENTIALS.search(line):
            yield (
                f"{name}, line {number}, holds what looks like a credential in a URL: a bundle is "
                "handed on. Take it from an environment variable instead"
            )


def _reads(name: str, tree: ast.AST) -> Iterator[str]:
    """Remarks on names by which code reads what is not in the bundle."""
    lines: dict[str, int] = {}
    for node in ast.walk(tree):
        used = node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")
        if used in _READS:
            lines.setdefault(used, getattr(node, "lineno", 0))
    if lines:
        told = ", ".join(f"{used} in line {line}" for used, line in sorted(lines.items()))
        yield f"{name} uses {told}: what it reads that way is not in the bundle"
