"""From a bundle, or a finished run, to a folder that another engine can run."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from hepflow.errors import InputError, did_you_mean
from hepflow.reinterpretation.bundle import Bundle, preserve, verify
from hepflow.reinterpretation.bundle.manifest import MANIFEST
from hepflow.reinterpretation.bundle.stored_zip import zip_pieces
from hepflow.reinterpretation.workflows.export import container
from hepflow.reinterpretation.workflows.export.catalogue import reana_file, recast_file
from hepflow.reinterpretation.workflows.export.inputs import SignalInputs
from hepflow.reinterpretation.workflows.export.readme import readme
from hepflow.reinterpretation.workflows.export.snakemake import snakefile
from hepflow.reinterpretation.workflows.export.steps import Step, steps_of
from hepflow.reinterpretation.workflows.export.yadage import steps_file, workflow_file
from hepflow.storage import atomic_write, atomic_writer

PACKED: Final = "bundle.zip"


@dataclass(frozen=True)
class Setting:
    """Where the steps run, and who is named."""

    # Container. Default one that is named after the analysis and the digest of its bundle; with
    # yadage and Snakemake by default none: the programs of the machine.
    image: str | None = None
    author: str = "unknown"  # for RECAST's catalogue


@dataclass(frozen=True)
class Order:
    """All that the files of a target are written from."""

    bundle: Bundle
    steps: tuple[Step, ...]
    parameters: Mapping[str, Any]
    image: str  # name of the container
    contained: bool  # whether the steps run in it
    author: str

    @property
    def step_image(self) -> str | None:
        """Container of the steps; None where they run on the machine itself."""
        return self.image if self.contained else None


@dataclass(frozen=True)
class Export:
    """What was written."""

    folder: Path
    files: tuple[str, ...]  # relative names, sorted
    digest: str  # of the bundle
    image: str  # name of the container that the recipe makes
    parameters: Mapping[str, Any] = field(default_factory=dict)


def _yadage(order: Order) -> dict[str, Any]:
    return {
        "steps.yml": steps_file(order.steps, order.step_image),
        "workflow.yml": workflow_file(order.steps),
        "inputs.yml": dict(order.parameters),
    }


def _recast(order: Order) -> dict[str, Any]:
    manifest = order.bundle.manifest
    files = _yadage(order)
    inputs = {"initdata": files.pop("inputs.yml")}
    return {
        **{f"specs/{name}": content for name, content in files.items()},
        "inputs.yml": inputs,
        "recast.yml": recast_file(manifest, order.steps, order.parameters, order.author),
    }


def _reana(order: Order) -> dict[str, Any]:
    files = _yadage(order)
    del files["inputs.yml"]  # the parameters stand in reana.yaml
    return {**files, "reana.yaml": reana_file(order.bundle.manifest, order.steps, order.parameters)}


def _snakemake(order: Order) -> dict[str, Any]:
    title = f"Limit on a new signal of {order.bundle.manifest.name}"
    return {
        "Snakefile": snakefile(order.steps, title, order.step_image),
        "inputs.yml": dict(order.parameters),
    }


# Name of the target -> files by name: texts, or what is written as YAML.
TARGETS: Final[Mapping[str, Callable[[Order], dict[str, Any]]]] = {
    "yadage": _yadage,
    "recast": _recast,
    "reana": _reana,
    "snakemake": _snakemake,
}
_ALWAYS_CONTAINED: Final = {"recast", "reana"}


def export_workflow(
    source: str | Path,
    target: str,
    output: str | Path,
    *,
    signal: SignalInputs | None = None,
    setting: Setting | None = None,
    digest: str | None = None,
) -> Export:
    """Write the three steps of a reinterpretation in the language of another engine.

    No code of the bundle is run. The steps name its digest and take no other bundle.

    Parameters
    ----------
    source
        Bundle (folder or zip), or the output folder of a finished run, which is preserved first.
    target
        One of `TARGETS`.
    output
        Folder to be made.
    signal
        Values with which the workflow starts; default those of `SignalInputs`.
    setting
        Where the steps run, and who is named.
    digest
        Expected digest of the bundle.

    Returns
    -------
    Export

    Raises
    ------
    InputError
        `output` is not empty, or a value cannot be used. Nothing was written.
    ChecksumError
        The bundle was changed.
    """
    folder = Path(output)
    if target not in TARGETS:
        raise InputError(f"there is no target {target!r}. {did_you_mean(target, TARGETS)}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} is there already and not empty. Choose another --output.")
    with tempfile.TemporaryDirectory(prefix="hepflow-export-") as temporary:
        packed = _packed(Path(source), Path(temporary) / PACKED, digest)
        bundle = verify(packed, digest=digest)
        where, new = setting or Setting(), signal or SignalInputs()
        contained = where.image is not None or target in _ALWAYS_CONTAINED
        chosen = container.check_image(where.image or container.default_image(bundle))
        place = container.IN_IMAGE if contained and target != "snakemake" else PACKED
        order = Order(
            bundle,
            steps_of(bundle.manifest, bundle.digest, new.replaced(bundle.manifest)),
            new.parameters(bundle.manifest, place),
            chosen,
            contained,
            where.author,
        )
        files = {**_texts(TARGETS[target](order)), **_always(order, target)}
        _write(folder, files, packed)
    names = tuple(sorted([*files, PACKED]))
    return Export(folder, names, bundle.digest, chosen, order.parameters)


def _packed(source: Path, place: Path, digest: str | None) -> Path:
    """Bundle as a zip file, whatever it was."""
    if source.is_file():
        return Path(shutil.copyfile(source, place))
    if not (source / MANIFEST).is_file():
        return preserve(source, place, name=source.resolve().name)
    bundle = verify(source, digest=digest)
    names = sorted([MANIFEST, *bundle.files])
    entries: Iterator[tuple[str, bytes]] = (
        (name, (source / name).read_bytes() if name == MANIFEST else bundle.read(name))
        for name in names
    )
    with place.open("wb") as file:
        file.writelines(zip_pieces(entries))
    return place


def _always(order: Order, target: str) -> dict[str, bytes]:
    """Files of every target."""
    texts = {
        "README.md": readme(order.bundle, target, order.image, contained=order.contained),
        "Dockerfile": container.recipe(order.bundle, order.image),
        ".dockerignore": container.IGNORED,
        "wheels/README.md": container.WHEELS,
    }
    found = {name: text.encode() for name, text in texts.items()}
    return {**found, "requirements.lock": container.requirements(order.bundle)}


def _texts(files: Mapping[str, Any]) -> dict[str, bytes]:
    import yaml

    return {
        name: (
            content
            if isinstance(content, str)
            else yaml.safe_dump(content, sort_keys=False, width=100, allow_unicode=True)
        ).encode()
        for name, content in files.items()
    }


def _write(folder: Path, files: Mapping[str, bytes], packed: Path) -> None:
    for name, content in files.items():
        atomic_write(folder / name, content)
    with atomic_writer(folder / PACKED) as temporary:
        shutil.copyfile(packed, temporary)
