"""Ready entries of ``systematics`` for the theory weights of NanoAOD.

Each function returns dictionaries for the configuration, which are changed like any other:

>>> systematics = [*scale_variations(processes=["ttbar"]), *parton_shower()]
>>> [one["name"] for one in systematics]
['scale', 'isr', 'fsr']
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

Entries = list[dict[str, Any]]


def _entry(
    name: str,
    weights: str,
    members: str,
    processes: Sequence[str] | None,
    fields: dict[str, Any],
) -> dict[str, Any]:
    entry = {"name": name, "type": "theory", "weights": weights, "members": members, **fields}
    return entry if processes is None else {**entry, "processes": list(processes)}


def scale_variations(
    name: str = "scale", *, processes: Sequence[str] | None = None, **fields: Any
) -> Entries:
    """Scales of renormalisation and factorisation: envelope of six variations.

    Parameters
    ----------
    name
        Of the source. With ``<name>_<process>`` for single processes they are independent.
    processes
        Processes it acts on; default all simulated ones.
    **fields
        Further fields of the entry, such as ``normalisation_only`` or ``keep_yield``.

    Returns
    -------
    list of dict
        One entry.

    Examples
    --------
    >>> scale_variations("scale_ttbar", processes=["ttbar"])[0]["processes"]
    ['ttbar']
    """
    return [_entry(name, "LHEScaleWeight", "scale", processes, fields)]


def pdf_variations(
    name: str = "pdf",
    *,
    alpha_s: Literal["separate", "added", "none"] = "separate",
    processes: Sequence[str] | None = None,
    **fields: Any,
) -> Entries:
    """PDFs by the formula of their set, and alpha_s by its two last members.

    Parameters
    ----------
    name
        Of the source.
    alpha_s
        As a source of its own, ``<name>_alpha_s``; added in quadrature; or left out.
    processes
        Processes it acts on; default all simulated ones.
    **fields
        Further fields of the entries, such as ``lhapdf_id`` where files do not say it.

    Returns
    -------
    list of dict
        One entry, or two.

    Examples
    --------
    >>> [one["members"] for one in pdf_variations()]
    ['pdf', 'alpha_s']
    >>> [one["members"] for one in pdf_variations(alpha_s="added")]
    ['pdf_alpha_s']
    """
    members = "pdf_alpha_s" if alpha_s == "added" else "pdf"
    found = [_entry(name, "LHEPdfWeight", members, processes, fields)]
    if alpha_s == "separate":
        own = {key: value for key, value in fields.items() if key != "combine"}
        found.append(_entry(f"{name}_alpha_s", "LHEPdfWeight", "alpha_s", processes, own))
    return found


def parton_shower(
    names: tuple[str, str] = ("isr", "fsr"),
    *,
    processes: Sequence[str] | None = None,
    **fields: Any,
) -> Entries:
    """Scale of the shower's coupling, in the initial and in the final state.

    Up is twice the scale, so less radiation, whatever order a file has them in.

    Parameters
    ----------
    names
        Of the sources of the initial and of the final state.
    processes
        Processes they act on; default all simulated ones.
    **fields
        Further fields of the entries.

    Returns
    -------
    list of dict
        Two entries.
    """
    kinds = zip(names, ("isr", "fsr"), strict=True)
    return [_entry(name, "PSWeight", kind, processes, fields) for name, kind in kinds]
