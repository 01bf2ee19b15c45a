"""From ``module:attribute`` to a configuration or a class."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from hepflow.cli.tracebacks import one_line, place_in_user_code
from hepflow.errors import HepflowError, InputError, did_you_mean

if TYPE_CHECKING:
    from hepflow.analysis import Analysis
    from hepflow.schema import Config


def find_modules_here(*, first: bool = True) -> None:
    """Let modules of the current folder be found.

    Parameters
    ----------
    first
        Before everything else, as ``python -m`` does; otherwise behind the script's folder.
    """
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0 if first else 1, here)


def load_config(reference: str, overrides: Sequence[str]) -> Config:
    """Load a configuration, apply overrides, and validate it.

    Raises
    ------
    InputError
        If it cannot be found, its module cannot be imported, or it is no dict.
    ConfigurationError
        If the configuration or an override is wrong.
    """
    from hepflow.schema import Config, load_config_with_restricted_cli

    return Config(**load_config_with_restricted_cli(load_sections(reference), overrides))


def load_sections(reference: str) -> Mapping[str, Any]:
    """Load a configuration as it is written.

    Raises
    ------
    InputError
        If it cannot be found, its module cannot be imported, or it is no dict.
    """
    found, module = _load(reference, "--config", _is_mapping)
    if not _is_mapping(found):
        names = did_you_mean("config", _names(module, _is_mapping))
        raise InputError(
            f"--config {reference}: expected a dict of sections, but it is a "
            f"{type(found).__name__}. {names}".rstrip()
        )
    sections: Mapping[str, Any] = found
    return sections


def load_analysis(reference: str) -> type[Analysis]:
    """Load a subclass of `hepflow.analysis.Analysis`.

    Raises
    ------
    InputError
        If it cannot be found, its module cannot be imported, or it is no such class.
    """
    from hepflow.analysis import Analysis

    def is_analysis(value: Any) -> bool:
        return isinstance(value, type) and issubclass(value, Analysis)

    found, module = _load(reference, "--analysis", is_analysis)
    if not is_analysis(found):
        what = f"the class {found.__name__}" if isinstance(found, type) else repr(found)
        names = _names(module, is_analysis)
        hint = did_you_mean(reference.partition(":")[2], names)
        raise InputError(
            f"--analysis {reference}: expected a subclass of hepflow.analysis.Analysis, "
            f"but it is {what}. {hint}".rstrip()
        )
    loaded: type[Analysis] = found
    return loaded


def _is_mapping(value: Any) -> bool:
    from hepflow.schema import Config

    return isinstance(value, (Mapping, Config))


def _load(reference: str, option: str, fits: Callable[[Any], bool]) -> tuple[Any, ModuleType]:
    """Attribute and module of a reference; `fits` picks the names worth proposing."""
    name, colon, attribute = reference.partition(":")
    if not (name and colon and attribute):
        example = "user.configuration:config" if option == "--config" else "mine:MyAnalysis"
        raise InputError(f"{option} {reference}: expected module:attribute, such as {example}.")
    module = _import(name, f"{option} {reference}")
    found: Any = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            hint = did_you_mean(part, _names(found, fits) or _names(found, lambda _: True))
            raise InputError(
                f"{option} {reference}: {_told(found)} has no {part!r}. {hint}".rstrip()
            )
        found = getattr(found, part)
    return found, module


def _import(name: str, where: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except HepflowError:
        raise
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if f"{name}.".startswith(f"{missing}."):
            raise InputError(_not_found(missing, where)) from error
        raise InputError(_broken(name, where, error)) from error
    except Exception as error:
        raise InputError(_broken(name, where, error)) from error


def _not_found(missing: str, where: str) -> str:
    parent, _, last = missing.rpartition(".")
    if parent:
        folders = list(getattr(sys.modules[parent], "__path__", ()))
        place = "" if folders else f": {parent!r} is no package"
    else:
        folders = list(dict.fromkeys([sys.path[0], str(Path.cwd())]))
        place = f" in {' or '.join(folders)} or among the installed packages"
    hint = did_you_mean(last, [info.name for info in pkgutil.iter_modules(folders)])
    return f"{where}: there is no module {missing!r}{place}. {hint}".rstrip()


def _broken(name: str, where: str, error: Exception) -> str:
    place = place_in_user_code(error) or f"the module {name!r}"
    return f"{where}: importing {name!r} failed in {place}: {one_line(error)}"


def _told(found: Any) -> str:
    if isinstance(found, ModuleType):
        return f"module {found.__name__!r}"
    return f"{getattr(found, '__name__', type(found).__name__)!r}"


def _names(owner: Any, fits: Callable[[Any], bool]) -> Iterable[str]:
    public = [name for name in dir(owner) if not name.startswith("_")]
    return [name for name in public if fits(getattr(owner, name, None))]
