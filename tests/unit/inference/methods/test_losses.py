"""The formulas of the table, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from hepflow.inference.methods.losses import LOSSES, event_losses

LOG_RATIO = np.array([0.3, -0.8], dtype=np.float32)  # estimated
BATCH = {
    "label": np.array([0.0, 1.0], dtype=np.float32),
    "log_ratio": np.array([0.5, -1.0], dtype=np.float32),
    "weight": np.array([1.0, 3.0], dtype=np.float32),
    "score": np.array([[1.0, 2.0], [0.0, 1.0]], dtype=np.float32),
}
SCORE = np.array([[0.5, 1.0], [1.0, 1.0]], dtype=np.float32)
ALPHA = 2.0

R_, R = np.exp(LOG_RATIO), np.exp(BATCH["log_ratio"])
S_, S = 1 / (1 + R_), 1 / (1 + R)
Y = BATCH["label"]
CARL = -Y * np.log(S_) - (1 - Y) * np.log(1 - S_)
ALICE = -S * np.log(S_) - (1 - S) * np.log(1 - S_)
ROLR = Y * (R - R_) ** 2 + (1 - Y) * (1 / R - 1 / R_) ** 2
TERM = np.mean((BATCH["score"] - SCORE) ** 2, axis=1)
EXPECTED = {
    "sally": BATCH["weight"] * TERM,
    "sallino": BATCH["weight"] * TERM,
    "carl": CARL,
    "rolr": ROLR,
    "alice": ALICE,
    "cascal": CARL + ALPHA * (1 - Y) * TERM,
    "rascal": ROLR + ALPHA * (1 - Y) * TERM,
    "alices": ALICE + ALPHA * (1 - Y) * TERM,
    "nde": -LOG_RATIO,
    "scandal": -LOG_RATIO + ALPHA * (1 - Y) * TERM,
}


@pytest.mark.parametrize("method", LOSSES)
def test_the_loss_is_the_formula(method):
    found = event_losses(LOSSES[method], LOG_RATIO, SCORE, BATCH, ALPHA)
    np.testing.assert_allclose(np.asarray(found), EXPECTED[method], rtol=1e-5)


def test_the_expected_values_cover_the_table():
    assert EXPECTED.keys() == LOSSES.keys()
