"""Missing momentum of CMS: the energy that is in no object."""

from __future__ import annotations

from typing import Any

import numpy as np

from hepflow.corrections.cms.weights import Entry

_OF_DIFFERENCES = ("MetUnclustEnUpDeltaX", "MetUnclustEnUpDeltaY")
_OF_SIDES = (
    *("ptUnclusteredUp", "phiUnclusteredUp"),
    *("ptUnclusteredDown", "phiUnclusteredDown"),
)


def unclustered_met(met: str = "MET", *, differences: bool | None = None, **fields: Any) -> Entry:
    """Entry of `systematics`: unclustered energy, which moves the missing momentum alone.

    Parameters
    ----------
    met
        Missing momentum: ``MET``, ``PuppiMET``, or ``PFMET`` of later files.
    differences
        Whether the file has ``MetUnclustEnUpDeltaX`` and ``...Y`` of it; otherwise it has
        ``ptUnclusteredUp``, ``phiUnclusteredUp`` and those of down. Default: only for ``MET``.
    **fields
        Further fields of the entry.

    Notes
    -----
    What is added is a vector, so it is right as well where corrections of jets have moved the
    missing momentum. From up and down it is half of their difference.

    Examples
    --------
    >>> unclustered_met("PuppiMET")["target"]
    ('PuppiMET', 'pt')
    """
    plain = met == "MET" if differences is None else differences
    return {
        "name": "unclustered",
        "type": "object",
        "target": (met, "pt"),
        "op": "add_vector",
        "use": [(met, one) for one in (_OF_DIFFERENCES if plain else _OF_SIDES)],
        "up_function": difference_up if plain else half_way_up,
        "down_function": difference_down if plain else half_way_down,
        **fields,
    }


def difference_up(x: Any, y: Any) -> tuple[Any, Any]:
    """Vector of up."""
    return x, y


def difference_down(x: Any, y: Any) -> tuple[Any, Any]:
    """Vector of down, the opposite."""
    return -x, -y


def half_way_up(pt_up: Any, phi_up: Any, pt_down: Any, phi_down: Any) -> tuple[Any, Any]:
    """Vector of up, from both sides [GeV]."""
    x = pt_up * np.cos(phi_up) - pt_down * np.cos(phi_down)
    y = pt_up * np.sin(phi_up) - pt_down * np.sin(phi_down)
    return x / 2.0, y / 2.0


def half_way_down(pt_up: Any, phi_up: Any, pt_down: Any, phi_down: Any) -> tuple[Any, Any]:
    """Vector of down, the opposite."""
    return half_way_up(pt_down, phi_down, pt_up, phi_up)
