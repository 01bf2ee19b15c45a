"""The likelihood as pyhf computes it with numpy: the reference, and slow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hepflow.errors import WorkspaceError
from hepflow.statistics.likelihood import Likelihood, Specification
from hepflow.statistics.pyhf_import import import_pyhf

Floats = NDArray[np.float64]
_GRADIENT = 1e-4  # step of differences, in prefit uncertainties
_HESSIAN = 2e-2  # the same for second differences, in uncertainties
_NOISE = 3e-5  # of second differences, scaled to ones on the diagonal


class PyhfLikelihood(Likelihood):
    """Likelihood whose values come from ``pyhf.Model.logpdf``, and derivatives from differences.

    Parameters
    ----------
    specification : Specification

    Raises
    ------
    WorkspaceError
        pyhf refuses the model, or its value is not that of `Likelihood`.
    """

    differentiable = False

    def __init__(self, specification: Specification) -> None:
        pyhf = import_pyhf()
        self.backend = f"pyhf {pyhf.__version__}, {pyhf.tensorlib.name}"
        spec = {"channels": specification.channels, "parameters": specification.parameters}
        settings = specification.modifier_settings
        given = {} if settings is None else {"modifier_settings": dict(settings)}
        try:
            model = pyhf.Model(spec, poi_name=specification.poi or None, **given)
        except (
            pyhf.exceptions.InvalidSpecification,
            pyhf.exceptions.InvalidModel,
            pyhf.exceptions.InvalidModifier,
            pyhf.exceptions.InvalidNameReuse,
        ) as error:
            raise WorkspaceError(f"pyhf cannot use the workspace: {error}") from error
        super().__init__(model)

    def twice_nll(self, parameters: Floats, data: Floats) -> float:
        """Twice the negative log-likelihood; infinite where pyhf has no number."""
        with np.errstate(all="ignore"):
            value = -2 * float(self.model.logpdf(parameters, data)[0])
        return value if np.isfinite(value) else np.inf

    def values(self, parameters: Floats, data: Floats) -> Floats:
        """`twice_nll` of many points, without `constants`."""
        rows = np.broadcast_to(data, (len(parameters), data.shape[1]))
        found = [self.twice_nll(one, row) for one, row in zip(parameters, rows, strict=True)]
        return np.array(found) - self.constants(data)

    def gradients(self, parameters: Floats, data: Floats) -> Floats:
        """Differences of `twice_nll`, shape (n_points, n_parameters)."""
        rows = np.broadcast_to(data, (len(parameters), data.shape[1]))
        return np.array(
            [self._gradient(one, row) for one, row in zip(parameters, rows, strict=True)]
        )

    def _gradient(self, parameters: Floats, data: Floats) -> Floats:
        steps = _GRADIENT * self._scale(parameters)
        moves = np.diag(steps)
        up = [self.twice_nll(parameters + move, data) for move in moves]
        down = [self.twice_nll(parameters - move, data) for move in moves]
        return np.asarray((np.array(up) - np.array(down)) / (2 * steps))

    def _scale(self, parameters: Floats) -> Floats:
        width = self.prefit_uncertainty()
        return np.where(width > 0, width, 0.1 + 0.1 * np.abs(parameters))

    def hessian(self, parameters: Floats, data: Floats) -> Floats:
        """Second differences of `twice_nll`; what is not more than noise is zero."""
        scale = self._scale(parameters)
        for _ in range(2):  # the second time in units of the uncertainty
            steps = _HESSIAN * scale
            centre = self.twice_nll(parameters, data)
            up = np.array([self.twice_nll(parameters + one, data) for one in np.diag(steps)])
            down = np.array([self.twice_nll(parameters - one, data) for one in np.diag(steps)])
            diagonal = (up + down - 2 * centre) / steps**2
            bent = diagonal * scale**2 > _NOISE
            scale = np.where(bent, np.sqrt(2 / np.where(bent, diagonal, 1.0)), scale)
        matrix = np.diag(np.where(bent, diagonal * steps**2, 0.0))
        for i in range(len(parameters)):
            for j in range(i):
                move = np.zeros(len(parameters))
                move[[i, j]] = steps[[i, j]]
                both = self.twice_nll(parameters + move, data)
                both += self.twice_nll(parameters - move, data)
                sides = up[i] + up[j] + down[i] + down[j]
                matrix[i, j] = matrix[j, i] = (both + 2 * centre - sides) / 2
        return _without_noise(matrix / np.outer(steps, steps))


def _without_noise(hessian: Floats) -> Floats:
    diagonal = np.diag(hessian)
    scale = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    values, vectors = np.linalg.eigh(hessian / np.outer(scale, scale))
    values = np.where(np.abs(values) < _NOISE, 0.0, values)
    return np.asarray((vectors * values) @ vectors.T * np.outer(scale, scale))
