"""Packages of the extra ``sbi``: imported where they are used, and missed with one clear error."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import ModuleType
from typing import Final

from hepflow.errors import InputError

# Module -> distribution, and what it is for. All are in the extra `sbi`.
PACKAGES: Final[Mapping[str, tuple[str, str]]] = {
    "jax": ("jax", "networks and their training"),
    "equinox": ("equinox", "networks and their training"),
    "optax": ("optax", "the optimisers of training"),
    "h5py": ("h5py", "event files"),
    "pylhe": ("pylhe", "Les Houches event files"),
    "pythia8mc": ("pythia8mc", "parton showers, and its parton distributions"),
}


def need(name: str) -> ModuleType:
    """Import a package of the extra ``sbi``, or a module of one.

    Parameters
    ----------
    name
        Such as ``"jax"`` or ``"jax.numpy"``.

    Raises
    ------
    InputError
        If it is not installed; the message says how to install it.
    """
    top = name.partition(".")[0]
    distribution, purpose = PACKAGES[top]
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise InputError(
            f"the package {distribution!r} is needed for {purpose}, but it cannot be imported "
            f"({error}). Install it: pip install 'hepflow[sbi]'. `hepflow doctor` lists what is "
            "there."
        ) from error
