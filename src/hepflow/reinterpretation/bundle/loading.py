"""A preserved analysis in this process: its configuration, its functions and its files."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from hepflow.errors import HepflowError, InputError, UnsafeContent
from hepflow.reinterpretation.bundle.contents import MANIFEST
from hepflow.reinterpretation.bundle.environment import LOCK, differences
from hepflow.reinterpretation.bundle.files import moved
from hepflow.reinterpretation.bundle.functions import follow, functions_in, with_functions
from hepflow.reinterpretation.bundle.isolation import modules_of
from hepflow.reinterpretation.bundle.manifest import Address, Bundle
from hepflow.reinterpretation.bundle.verifying import CODE, checked, verify
from hepflow.storage import atomic_write, private_folder, read_json, safe_join, sha256_file

if TYPE_CHECKING:
    from hepflow.analysis import Analysis
    from hepflow.schema import Config

_log = logging.getLogger(__name__)
BACKGROUND: Final = "model/background.json"
PATCH_SET: Final = "model/signal.patchset.json"
SETTINGS: Final = "config/resolved.json"
_STEP: Final = "`hepflow preserve`"
_SHOWN: Final = 10  # differences in a message


@dataclass(frozen=True)
class PreservedAnalysis:
    """An analysis as it was run, ready for another signal.

    Its functions run within `imported` only.
    """

    bundle: Bundle
    folder: Path  # private copy of the bundle, as it was verified
    config: Config  # with functions of code/ and the files of `folder`
    analysis: type[Analysis]
    warnings: tuple[str, ...] = ()  # versions that are others than in the run
    modules: dict[str, ModuleType] = field(default_factory=dict, repr=False)

    @property
    def background(self) -> Path:
        """Workspace without the signal."""
        return self.folder / BACKGROUND

    @property
    def patch_set(self) -> Path:
        """Patch set with the run's own signal."""
        return self.folder / PATCH_SET

    @property
    def workspace(self) -> dict[str, Any]:
        """Workspace with the run's own signal: that of the run."""
        from hepflow.statistics.patches import patched

        return patched(read_json(self.background, _STEP), self.patch_set)

    @contextlib.contextmanager
    def imported(self) -> Iterator[None]:
        """Let the modules of the bundle be those that are imported, in this block only.

        Fingerprints, what is sent to workers, and imports within functions then mean the modules
        of the bundle, whatever the current project calls its own.
        """
        with modules_of(self.folder / CODE, self.modules):
            yield


def load(bundle: str | Path, *, trusted: bool = False) -> PreservedAnalysis:
    """Verify a bundle, import its modules, and restore its configuration.

    Parameters
    ----------
    bundle
        Folder or zip, as `preserve` makes it.
    trusted
        Whether its code may be run: its modules are imported. Nobody but you can tell.

    Returns
    -------
    PreservedAnalysis
        Its files lie in a private folder of the user's cache.

    Raises
    ------
    ChecksumError
        A file was changed; nothing was run.
    UnsafeContent
        It is not trusted, or not safe to be unpacked; nothing was run.
    InputError
        It is no bundle, or its functions are not those of the run.
    ConfigurationError
        Its configuration is not valid any more.
    """
    path = Path(bundle)
    if not trusted:
        raise UnsafeContent(_told(verify(path)))
    found, folder = _unpacked(path)
    (folder / CODE).mkdir(exist_ok=True)  # an analysis may have no module of its own
    return restored(found, folder)


def _told(found: Bundle) -> str:
    modules = ", ".join(found.manifest.modules) or "no module"
    return (
        f"{found.path} is whole, but loading it runs Python code of its author ({modules}; under "
        f"{CODE} in the bundle). Read it, and if you trust it say so: --trust, or trusted=True."
    )


def _unpacked(path: Path) -> tuple[Bundle, Path]:
    """Verify a bundle and write what was verified to a private folder."""
    from hepflow.output_manager import default_cache_dir

    contents: dict[str, bytes] = {}
    found = checked(path, None, contents.__setitem__)
    folder = private_folder(default_cache_dir() / "bundles" / found.digest[:32])
    for name, content in contents.items():
        place = safe_join(folder, *name.split("/"))
        known = found.manifest.digests.get(name)
        if name == MANIFEST or not place.is_file() or sha256_file(place) != known:
            atomic_write(place, content)
    for one in (folder / CODE).rglob("*.py"):
        if one.relative_to(folder).as_posix() not in contents:
            one.unlink()
    return found, folder


def restored(bundle: Bundle, folder: Path) -> PreservedAnalysis:
    """Import what a verified bundle holds, from its copy in a folder.

    Raises
    ------
    InputError
        Its functions cannot be imported, or are not those of the run.
    """
    from hepflow.schema import Config

    manifest = bundle.manifest
    tree = moved(read_json(folder / SETTINGS, _STEP), manifest.files, folder)
    lock = (folder / LOCK).read_text(encoding="utf-8")
    others = differences(lock, manifest.python)
    modules: dict[str, ModuleType] = {}
    with modules_of(folder / CODE, modules):
        functions = {path: _import(one, path) for path, one in manifest.functions.items()}
        changed = _changed(tree, functions)
        if changed and not others:
            raise InputError(
                f"{bundle.path}: with the same versions of all libraries, these functions are not "
                f"those of the run: {', '.join(changed)}. They read something that is not in the "
                "bundle: an environment variable, a file, the place of their own file."
            )
        config = Config(**with_functions(tree, functions))
        analysis = _analysis(manifest.analysis)
    warnings = tuple(_warnings(others, changed))
    for one in warnings:
        _log.warning("%s: %s", bundle.path, one)
    return PreservedAnalysis(bundle, folder, config, analysis, warnings, modules)


def _import(address: Address, path: str) -> Any:
    try:
        return follow(address)
    except HepflowError:
        raise
    # Importing a module runs the code of its author, which may raise anything.
    except Exception as error:
        raise InputError(
            f"{path}: {address} of the bundle cannot be imported "
            f"({type(error).__name__}: {error}). Install what {LOCK} lists."
        ) from error


def _changed(tree: Mapping[str, Any], functions: Mapping[str, Any]) -> list[str]:
    """Functions whose fingerprint is another one than in the run."""
    from hepflow.keys import describe_function

    missing = [one.path for one in functions_in(tree) if one.path not in functions]
    if missing:
        raise InputError(f"{MANIFEST} does not say where {', '.join(missing)} are found.")
    return [
        f"{one.path} ({one.function})"
        for one in functions_in(tree)
        if one.fingerprint is not None
        and describe_function(functions[one.path])["fingerprint"] != one.fingerprint
    ]


def _analysis(name: str | None) -> type[Analysis]:
    from hepflow.analysis import Analysis

    if name is None:
        return Analysis
    module, _, attribute = name.partition(":")
    found = _import(Address(module, tuple(attribute.split("."))), "the analysis")
    if not (isinstance(found, type) and issubclass(found, Analysis)):
        raise InputError(f"{name} is no subclass of hepflow.analysis.Analysis.")
    return found


def _warnings(others: list[str], changed: list[str]) -> Iterator[str]:
    if others:
        more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
        yield f"other versions than in the run: {', '.join(others[:_SHOWN])}{more}"
    if changed:
        more = f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
        yield (
            "with these versions it cannot be told whether functions do what they did: "
            f"{', '.join(changed[:_SHOWN])}{more}"
        )
