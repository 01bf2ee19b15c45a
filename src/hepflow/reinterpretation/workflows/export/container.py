"""Recipe of the container in which the steps of an exported workflow run."""

from __future__ import annotations

import re
from typing import Final

from hepflow.errors import InputError
from hepflow.reinterpretation.bundle import Bundle
from hepflow.reinterpretation.bundle.environment import LOCK
from hepflow.reinterpretation.bundle.manifest import Manifest

IN_IMAGE: Final = "/analysis/bundle.zip"
IGNORED: Final = "*\n!bundle.zip\n!requirements.lock\n!wheels\n"  # .dockerignore
WHEELS: Final = """\
Wheels that the package index does not have, such as that of hepflow itself, belong into this
folder before the container is built.
"""
_IMAGE: Final = re.compile(
    r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?::[0-9]+)?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?"
)
_VERSION: Final = re.compile(r"\d+\.\d+(?:\.\d+)?")
_RECIPE: Final = """\
# Container of the preserved analysis.
# docker build --tag {image} .
FROM python:{python}-slim

# Steps may run as any user, whose home need not exist.
ENV HEPFLOW_CACHE_DIR=/tmp/hepflow MPLCONFIGDIR=/tmp/matplotlib

COPY requirements.lock /analysis/
COPY wheels /analysis/wheels
RUN pip install --no-cache-dir --find-links /analysis/wheels -r /analysis/requirements.lock

COPY bundle.zip {place}
RUN hepflow verify {place} --digest {digest}
"""


def default_image(bundle: Bundle) -> str:
    """Name after the analysis, tag after the digest: another bundle is another container."""
    return f"{short_name(bundle.manifest)}:{bundle.digest[:12]}"


def short_name(manifest: Manifest) -> str:
    """Name of the analysis as containers and catalogues take it.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> short_name(SimpleNamespace(name="VH(bb), full Run 2"))
    'vh-bb-full-run-2'
    """
    return re.sub(r"[^a-z0-9]+", "-", manifest.name.lower()).strip("-") or "analysis"


def check_image(image: str) -> str:
    """Refuse a text that is no name of a container.

    Raises
    ------
    InputError
        It is none.
    """
    if not _IMAGE.fullmatch(image):
        raise InputError(
            f"image {image!a}: expected a name with tag, such as registry.example.org/group/name:1."
        )
    return image


def recipe(bundle: Bundle, image: str) -> str:
    """Text of the Dockerfile: the Python and the packages of the bundle, and the bundle."""
    python = _VERSION.match(bundle.manifest.python)
    if python is None:
        raise InputError(
            f"{bundle.path}: Python {bundle.manifest.python!a} of the bundle is no version."
        )
    return _RECIPE.format(image=image, python=python.group(), place=IN_IMAGE, digest=bundle.digest)


def requirements(bundle: Bundle) -> bytes:
    """Versions of all packages, as the bundle has them."""
    return bundle.read(LOCK)
