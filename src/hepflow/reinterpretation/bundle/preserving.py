"""From a finished run to a bundle."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from hepflow.errors import InputError
from hepflow.reinterpretation.bundle.contents import MANIFEST
from hepflow.reinterpretation.bundle.environment import LOCK, PYTHON, lock_text, locked
from hepflow.reinterpretation.bundle.files import NamedFiles, moved, named_files
from hepflow.reinterpretation.bundle.finished import Finished, read_finished, workspace_of
from hepflow.reinterpretation.bundle.functions import addresses, functions_in
from hepflow.reinterpretation.bundle.isolation import strangers, without_user_modules
from hepflow.reinterpretation.bundle.loading import (
    BACKGROUND,
    PATCH_SET,
    restored,
)
from hepflow.reinterpretation.bundle.manifest import Address, Bundle, Manifest
from hepflow.reinterpretation.bundle.modules import UserCode, user_code
from hepflow.reinterpretation.bundle.origin import made_from_something_else
from hepflow.reinterpretation.bundle.readme import README, readme
from hepflow.reinterpretation.bundle.signal import patch_name, patch_set, split
from hepflow.reinterpretation.bundle.stored_zip import zip_pieces
from hepflow.reinterpretation.bundle.verifying import CODE, verify
from hepflow.storage import atomic_write, atomic_writer, sha256_bytes
from hepflow.storage.atomic import storage_errors

_ZIP: Final = ".zip"


@dataclass(frozen=True)
class _Package:
    """A bundle in memory."""

    manifest: Manifest
    files: Mapping[str, bytes]  # all but the manifest

    def entries(self) -> Iterator[tuple[str, bytes]]:
        """Name and content of each file, sorted."""
        every = {**self.files, MANIFEST: self.manifest.to_bytes()}
        yield from sorted(every.items())

    def write_to(self, folder: Path) -> None:
        """Write a folder."""
        for name, content in self.entries():
            atomic_write(folder / name, content)


def preserve(
    run_folder: str | Path,
    output: str | Path,
    *,
    name: str = "",
    analysis: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Keep everything that a reinterpretation of a finished run needs.

    The modules of the configured functions are imported, from where Python finds them; they must
    be as they were in the run. The same run gives the same bytes.

    Parameters
    ----------
    run_folder
        Output folder of the run.
    output
        Folder to be made, or a zip file where its name ends in ``.zip``.
    name
        Of the analysis; default that of the run's folder.
    analysis
        Class of the analysis (``module:Class``) where it is not on record, as of a run that was
        started from Python.
    overwrite
        Replace a bundle that is there.

    Returns
    -------
    Path
        `output`, which was verified and loaded again.

    Raises
    ------
    InputError
        The run failed or is not whole, its code or files have changed since, a function cannot
        be found again by its name, or there is something at `output`. Nothing was written.
    WorkspaceError
        Its workspace has no signal.
    """
    folder, target = Path(run_folder), Path(output)
    _check_target(target, overwrite=overwrite)
    finished = read_finished(folder)
    package = _collect(finished, name or folder.resolve().name, analysis or finished.analysis)
    _try(package, finished)
    if target.suffix.lower() == _ZIP:
        with atomic_writer(target) as temporary, temporary.open("wb") as file:
            file.writelines(zip_pieces(package.entries()))
    else:
        _write_folder(package, target)
    verify(target)
    return target


def _check_target(target: Path, *, overwrite: bool) -> None:
    if not target.exists():
        return
    if not overwrite:
        raise InputError(f"{target} is there already. Choose another name, or --overwrite.")
    is_zip = target.suffix.lower() == _ZIP
    if is_zip != target.is_file() or (target.is_dir() and not (target / MANIFEST).is_file()):
        raise InputError(f"{target} is there already and is no bundle: it is not replaced.")


def _collect(finished: Finished, name: str, analysis: str | None) -> _Package:
    """Everything in memory, or all that is wrong."""
    settings = finished.stored.settings
    model = split(workspace_of(finished.folder))
    functions, code, named = _parts(finished, analysis)
    manifest = Manifest(
        name=name,
        hepflow=str(finished.stored.run["packages"]["hepflow"]),
        python=str(finished.stored.run["python"]),
        poi=model.poi,
        measurement=model.measurement,
        signals=model.signals,
        patch=patch_name(model.signals),
        channels=tuple(str(one["name"]) for one in model.background["channels"]),
        luminosity=settings["general"]["lumi"],
        analysis=analysis,
        expected_only=finished.stored.inference.expected_only,
        modules=tuple(sorted(code.modules)),
        functions=functions,
        files=named.names,
        remarks=(*finished.remarks, *_unsure(settings)),
    )
    files = {
        **finished.files,
        **named.contents,
        **{f"{CODE}{one}": content for one, content in code.files.items()},
        **_environment(finished, code),
        BACKGROUND: _json(model.background),
        PATCH_SET: _json(patch_set(model, name)),
        README: readme(manifest, tuple(code.remarks)).encode(),
    }
    digests = {one: sha256_bytes(content) for one, content in files.items()}
    return _Package(replace(manifest, digests=digests), files)


def _parts(
    finished: Finished, analysis: str | None
) -> tuple[Mapping[str, Address], UserCode, NamedFiles]:
    """Functions, modules and files of a run.

    Raises
    ------
    InputError
        Some cannot be taken along; the message lists them all.
    """
    settings = finished.stored.settings
    wanted = list(functions_in(moved(settings, {}, finished.folder)))
    references = [one for one in (finished.stored.invocation.get("config"), analysis) if one]
    last = [str(one).partition(":")[0] for one in references]  # they may need the old machine
    places = [one.module for one in wanted if one.module not in last]
    functions, problems = addresses(wanted, [*places, *last])
    named = named_files(settings, finished.base, finished.digests)
    class_module = [analysis.partition(":")[0]] if analysis else []
    code = user_code([*(one.module for one in functions.values()), *class_module])
    problems += [*named.problems, *code.problems]
    if problems:
        told = "\n".join(f"  {one}" for one in problems)
        raise InputError(
            f"{finished.folder} cannot be preserved:\n{told}\n"
            f"Modules and files are looked for from {finished.base}, where the run was started."
        )
    return functions, code, named


def _unsure(settings: Mapping[str, Any]) -> Iterator[str]:
    paths = [one.path for one in functions_in(settings) if one.fingerprint is None]
    if paths:
        yield (
            f"{', '.join(paths)}: that these functions are those of the run cannot be checked, as "
            "they read something without a fingerprint"
        )


def _environment(finished: Finished, code: UserCode) -> dict[str, bytes]:
    run = finished.stored.run
    python = {"python": run["python"], "platform": run["platform"]}
    lock = lock_text(locked(code.libraries, run))
    return {LOCK: lock.encode(), PYTHON: _json(python)}


def _json(content: Any) -> bytes:
    text = json.dumps(content, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()


def _try(package: _Package, finished: Finished) -> None:
    """Load a bundle before it is handed on, and compare it with what the run was made from."""
    with tempfile.TemporaryDirectory(prefix="hepflow-bundle-") as temporary:
        folder = Path(temporary).resolve()
        package.write_to(folder)
        (folder / CODE).mkdir(exist_ok=True)
        names = tuple(package.manifest.digests)
        with without_user_modules():
            found = restored(Bundle(finished.folder, "", package.manifest, names), folder)
            problem = made_from_something_else(found, finished)
            with found.imported():
                outside = strangers(folder / CODE)
        if outside:
            problem = (
                f"its code loads {', '.join(outside)} in a way that cannot be followed. Import "
                "them by an import statement."
            )
    if problem:
        raise InputError(f"{finished.folder} cannot be preserved: {problem}")


def _write_folder(package: _Package, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with storage_errors(target, "write"):
        staged = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        try:
            staged.chmod(0o755)
            package.write_to(staged)
            if target.exists():
                shutil.rmtree(target)
            os.replace(staged, target)  # noqa: PTH105 - as one step, also onto nothing
        finally:
            shutil.rmtree(staged, ignore_errors=True)
