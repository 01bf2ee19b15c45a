"""Determinism, resuming, early stopping, and what is refused."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from hepflow.errors import ConfigurationError, FitError, InputError
from hepflow.execution.executor import make_executor
from hepflow.inference.methods.estimators import Estimator
from hepflow.inference.methods.settings import Structure, TrainingSettings
from hepflow.inference.methods.training import train
from tests.unit.inference.methods import toys

SMALL = TrainingSettings(hidden=(8,), epochs=3, batch_size=50, flows=1, mixture=2)
N = 400


def leaves(estimator: Estimator) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(estimator.network)]


def same(one: Estimator, other: Estimator) -> bool:
    return (
        all(np.array_equal(a, b) for a, b in zip(leaves(one), leaves(other), strict=True))
        and one.history.validation == other.history.validation
    )


def test_the_same_seed_gives_the_same_weights_bit_by_bit():
    sample = toys.score_sample(N, 1)
    first = train("sally", sample, SMALL, 5)
    assert same(first, train("sally", sample, SMALL, 5))


@pytest.mark.nightly
def test_another_seed_gives_other_weights():
    sample = toys.score_sample(N, 1)
    assert not same(train("sally", sample, SMALL, 5), train("sally", sample, SMALL, 6))


CHANGES = {
    "hidden": (8, 4),
    "activation": "silu",
    "scaling": "quantile",
    "dropout": 0.3,
    "epochs": 2,
    "batch_size": 40,
    "optimizer": "sgd",
    "learning_rate": 1e-2,
    "final_learning_rate": 1e-4,
    "schedule": "exponential",
    "weight_decay": 0.1,
    "clip": 1e-3,
    "averaging": 0.05,
    "validation_fraction": 0.3,
}


QUICKLY = ("dropout", "weight_decay", "averaging", "alpha")  # the others take no other way


def sometimes(names: Iterable[str], always: Iterable[str]) -> list[Any]:
    """Parameters of a test, all but some of them nightly: each training compiles its own loop."""
    return [n if n in always else pytest.param(n, marks=pytest.mark.nightly) for n in names]


# What a method reads is the same code for all; the two kinds of network that differ are here.
@pytest.mark.parametrize("name", sometimes([*CHANGES, "score_unit", "alpha"], QUICKLY))
def test_every_setting_changes_the_result(name, baseline):
    changes = {**CHANGES, "alpha": 3.0, "score_unit": "global"}
    method, sample, usual = baseline["alices" if name == "alpha" else "sally"]
    settings = dataclasses.replace(SMALL, **{name: changes[name]})
    found = train(method, sample, settings, 1).score(toys.events(20))
    assert np.abs(found - usual).max() > 1e-6


@pytest.fixture(scope="module")
def baseline():
    samples = {"sally": toys.score_sample(N, 1), "alices": toys.ratio_sample(N, 1)}
    return {
        method: (method, sample, train(method, sample, SMALL, 1).score(toys.events(20)))
        for method, sample in samples.items()
    }


@pytest.mark.nightly
@pytest.mark.parametrize("method", ["alices", "scandal", "rascal"])
@pytest.mark.parametrize("name", CHANGES)
def test_every_setting_changes_the_result_of_every_kind(method, name):
    sample = toys.ratio_sample(N, 1)
    settings = dataclasses.replace(SMALL, **{name: CHANGES[name]})
    pair = [train(method, sample, how, 1).score(toys.events(20)) for how in (SMALL, settings)]
    assert np.abs(pair[0] - pair[1]).max() > 1e-6


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["flows", "mixture"])
def test_the_settings_of_the_flow_change_a_density(name):
    sample = toys.ratio_sample(N, 1)
    settings = dataclasses.replace(SMALL, **{name: 3})
    pair = [train("nde", sample, how, 1).score(toys.events(20)) for how in (SMALL, settings)]
    assert np.abs(pair[0] - pair[1]).max() > 1e-6


SCRIPT = """
import sys, time
from hepflow.inference.methods.training import train
from tests.unit.inference.methods import toys
from tests.unit.inference.methods.test_training import SLOW, N
def tell(progress):
    print(progress.epoch, flush=True)
    time.sleep(0.1)
train("sally", toys.score_sample(N, 1), SLOW, 3, folder=sys.argv[1], progress=tell)
"""
SLOW = dataclasses.replace(SMALL, epochs=12, patience=0)


def test_a_killed_training_goes_on_to_the_same_weights(tmp_path):
    folder = tmp_path / "member_0"
    root = Path(__file__).parents[4]
    command = [sys.executable, "-c", SCRIPT, str(folder)]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip() == "4":
                process.send_signal(signal.SIGKILL)
                break
    assert (folder / "checkpoint.json").exists()
    assert not (folder / "model.json").exists()
    seen: list[int] = []
    sample = toys.score_sample(N, 1)
    resumed = train(
        "sally", sample, SLOW, 3, folder=folder, progress=lambda p: seen.append(p.epoch)
    )
    assert seen[0] in {4, 5}
    assert seen[-1] == SLOW.epochs
    assert same(resumed, train("sally", sample, SLOW, 3))
    assert {path.name for path in folder.iterdir()} == {
        "model.json",
        "weights.npz",
        "history.json",
    }


@pytest.mark.nightly
def test_a_checkpoint_of_another_training_is_not_used(tmp_path):
    sample = toys.score_sample(N, 1)
    (tmp_path / "checkpoint.json").write_text(json.dumps({"key": "other"}), encoding="utf-8")
    seen: list[int] = []
    train("sally", sample, SMALL, 3, folder=tmp_path, progress=lambda p: seen.append(p.epoch))
    assert seen == [1, 2, 3]


def test_a_finished_training_is_read_and_a_changed_one_made_anew(tmp_path):
    sample, seen = toys.score_sample(N, 1), []
    first = train("sally", sample, SMALL, 3, folder=tmp_path, progress=seen.append)
    assert [(p.method, p.seed, p.epoch, p.epochs) for p in seen][-1] == ("sally", 3, 3, 3)
    assert [p.validation_loss for p in seen] == list(first.history.validation)
    seen.clear()
    assert same(first, train("sally", sample, SMALL, 3, folder=tmp_path, progress=seen.append))
    assert not seen
    longer = dataclasses.replace(SMALL, epochs=4)
    train("sally", sample, longer, 3, folder=tmp_path, progress=seen.append)
    assert len(seen) == 4


@pytest.mark.nightly
def test_no_checkpoints_where_none_are_wanted(tmp_path):
    settings = dataclasses.replace(SMALL, checkpoint_every=0)
    names: list[list[str]] = []

    def look(_: object) -> None:
        names.append([path.name for path in tmp_path.iterdir()])

    train("sally", toys.score_sample(N, 1), settings, 3, folder=tmp_path, progress=look)
    assert names == [[]] * 3


def test_training_stops_when_validation_gets_worse():
    sample = toys.score_sample(120, 1)
    settings = TrainingSettings(
        hidden=(64,), epochs=300, batch_size=20, patience=4, schedule="constant", averaging=0.0
    )
    found = train("sally", sample, settings, 1, toys.score_sample(2000, 2))
    history = found.history
    assert history.stopped_early
    assert len(history.training) == len(history.validation) == history.best_epoch + 4 < 300
    lowest = min(history.validation)
    assert history.validation[history.best_epoch - 1] < lowest + 0.02


@pytest.mark.nightly
def test_trainings_run_in_processes_side_by_side(tmp_path):
    sample = toys.score_sample(N, 1)
    folders = [str(tmp_path / f"member_{k}") for k in range(2)]

    def one(folder: str) -> tuple[int, str]:
        found = train("sally", sample, SMALL, 3, folder=folder)
        return os.getpid(), found.key

    with make_executor("loky", 2) as executor:
        outcomes = list(executor.map(one, folders, label="training"))
    assert [outcome.error for outcome in outcomes] == [None, None]
    assert all(outcome.value[0] != os.getpid() for outcome in outcomes)
    assert same(Estimator.load(folders[0]), train("sally", sample, SMALL, 3))


def test_a_training_uses_one_thread():
    # The busiest thread takes all the processor time of the process.
    code = """
import os, time
from hepflow.inference.methods.threads import use_one_thread
use_one_thread()
import jax, jax.numpy as jnp
f = jax.jit(lambda a: jnp.tanh(a @ a))
a = jnp.ones((1200, 1200))
f(a).block_until_ready()
def spent():
    times = {}
    for task in os.listdir("/proc/self/task"):
        fields = open(f"/proc/self/task/{task}/stat").read().rsplit(")", 1)[1].split()
        times[task] = int(fields[11]) + int(fields[12])
    return times
before = spent()
for _ in range(8):
    f(a).block_until_ready()
after = spent()
used = [after[task] - before.get(task, 0) for task in after]
print(max(used), sum(used))
"""
    if not Path("/proc/self/task").is_dir():
        pytest.skip("threads' times are read from /proc, which Linux has")
    environment = {k: v for k, v in os.environ.items() if k not in {"PJRT_NPROC", "XLA_FLAGS"}}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    busiest, together = (int(word) for word in run.stdout.split())
    assert together - busiest <= 0.1 * together + 2


# -- what is refused -------------------------------------------------------------------------

NAMED = Structure(("mass", "angle"), ("C_a", "C_b"))


def changed(sample, **columns):
    return dataclasses.replace(sample, **columns)


def spoiled(array: np.ndarray, where: tuple[int, ...], value: float) -> np.ndarray:
    copy = array.copy()
    copy[where] = value
    return copy


@pytest.mark.parametrize(
    ("column", "where", "message"),
    [
        (
            "x",
            (3, 1),
            "observable 'angle' is not finite in 1 of 400 training events, first in row 3",
        ),
        ("theta", (2, 0), "the numerator's parameter 'C_a' is not finite"),
        ("score", (7, 1), "the joint score in parameter 'C_b' is not finite"),
        ("log_ratio", (1,), "the joint log ratio is not finite"),
        ("label", (1,), "the label is not finite"),
    ],
)
def test_numbers_that_are_not_finite_are_named(column, where, message):
    sample, judge = toys.ratio_sample(N, 1), toys.ratio_sample(N, 2)
    bad = changed(sample, **{column: spoiled(getattr(sample, column), where, np.nan)})
    with pytest.raises(InputError, match=f"ALICES: {message}"):
        train("alices", bad, SMALL, 1, judge, structure=NAMED)
    with pytest.raises(InputError, match="of 400 validation events"):
        train("alices", judge, SMALL, 1, bad, structure=NAMED)


@pytest.mark.nightly
def test_a_score_that_is_not_used_may_be_anything():
    sample = toys.ratio_sample(N, 1)
    bad = changed(sample, score=np.full_like(sample.score, np.nan))
    assert np.isfinite(train("carl", bad, SMALL, 1).score(toys.events(5))).all()


def test_too_few_events_are_refused():
    with pytest.raises(InputError, match="90 events for training are too few; at least 100"):
        train("sally", toys.score_sample(100, 1), SMALL, 1)
    large = dataclasses.replace(SMALL, batch_size=500)
    with pytest.raises(InputError, match=r"at least 500 are needed \(batch_size is 500\)"):
        train("sally", toys.score_sample(N, 1), large, 1)
    with pytest.raises(InputError, match="15 events for validation are too few"):
        train("sally", toys.score_sample(N, 1), SMALL, 1, toys.score_sample(15, 2))


def test_samples_that_teach_nothing_are_refused():
    sample = toys.ratio_sample(N, 1)
    with pytest.raises(InputError, match="SALLY is trained on a ScoreSample, not a RatioSample"):
        train("sally", sample, SMALL, 1)
    with pytest.raises(InputError, match=r"the labels are \[0.0\]. Draw both"):
        train("carl", changed(sample, label=np.zeros(N)), SMALL, 1)
    fixed = changed(sample, theta=np.zeros((N, 2)))
    with pytest.raises(InputError, match="all numerators are at the reference in parameter 'C_a'"):
        train("alice", fixed, SMALL, 1, structure=NAMED)
    flat = changed(sample, x=np.where([True, False], sample.x, 2.0))
    with pytest.raises(InputError, match="observable 'angle' is 2 in all"):
        train("alice", flat, SMALL, 1, structure=NAMED)
    silent = changed(toys.score_sample(N, 1), score=np.zeros((N, 2)))
    with pytest.raises(InputError, match="the joint score is 0 in parameter number 1"):
        train("sally", silent, SMALL, 1)


def test_a_loss_that_is_not_finite_names_epoch_and_step():
    settings = dataclasses.replace(SMALL, learning_rate=1e30, optimizer="sgd", schedule="constant")
    with pytest.raises(FitError, match=r"SALLY: the training loss is (nan|inf) in epoch 1, step"):
        train("sally", toys.score_sample(N, 1), settings, 1)
    judge = toys.score_sample(N, 2)
    far = changed(judge, score=spoiled(judge.score, (4, 0), 1e30))
    with pytest.raises(FitError, match="the loss of validation event 4 is inf after epoch 1"):
        train("sally", toys.score_sample(N, 1), SMALL, 1, far)


def test_weights_must_be_finite_with_a_positive_sum():
    sample = toys.score_sample(N, 1)
    with pytest.raises(InputError, match="SALLY: the weight is not finite in 1 of"):
        train("sally", changed(sample, weight=spoiled(np.ones(N), (5,), np.inf)), SMALL, 1)
    with pytest.raises(InputError, match="the sum of the events' weights is -"):
        train("sally", changed(sample, weight=-np.ones(N)), SMALL, 1)


def test_wrong_settings_are_told_at_once():
    with pytest.raises(ConfigurationError) as caught:
        TrainingSettings(hidden=(), activation="sillu", epochs=0, dropout=1.0, learning_rate=0.0)
    message = str(caught.value)
    assert "5 problems" in message
    assert "activation: 'sillu' is unknown. Did you mean 'silu'?" in message
    assert "dropout: 1.0 is not at least 0 and below 1" in message
    assert "learning_rate: 0.0 is not above 0" in message
