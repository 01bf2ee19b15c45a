"""Means, spreads and the check of the score; files of members."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from hepflow.errors import ChecksumError, InputError, MissingArtifact, StorageError
from hepflow.inference.methods.ensembles import Ensemble
from hepflow.inference.methods.estimators import Estimator
from hepflow.inference.methods.model_files import FORMAT, read_key
from hepflow.inference.methods.settings import Structure, TrainingSettings
from hepflow.inference.methods.training import train
from tests.unit.inference.methods import toys

SMALL = TrainingSettings(hidden=(8,), epochs=2, batch_size=100, flows=1, mixture=2, scaling="mixed")


@pytest.fixture(scope="module")
def scores() -> Ensemble:
    sample = toys.score_sample(1000, 1)
    return Ensemble(tuple(train("sally", sample, SMALL, seed) for seed in (1, 2)))


def ratio(method: str) -> Estimator:
    names = Structure(("a", "b"), ("p", "q"))
    return train(method, toys.ratio_sample(1000, 1), SMALL, 1, structure=names)


def test_an_ensemble_gives_mean_and_spread(scores):
    x = toys.events(20)
    one, other = (member.score(x) for member in scores.members)
    np.testing.assert_allclose(scores.score(x), (one + other) / 2)
    np.testing.assert_allclose(scores.score_spread(x), np.abs(one - other) / np.sqrt(2))
    assert (scores.method, scores.kind, scores.loss.title) == ("sally", "score", "SALLY")
    assert scores.reference.tolist() == [0.0, 0.0]


def test_a_single_member_has_no_spread(scores):
    alone = Ensemble(scores.members[:1])
    assert np.isnan(alone.score_spread(toys.events(3))).all()


def test_the_mean_score_under_the_reference_is_near_zero(scores):
    x = toys.events(5000)
    check = scores.expected_score(x)
    by_hand = scores.members[1].score(x)
    np.testing.assert_allclose(check.mean[1], by_hand.mean(axis=0))
    np.testing.assert_allclose(check.error[1], by_hand.std(axis=0) / np.sqrt(len(x)))
    np.testing.assert_allclose(check.pulls, check.mean / check.error)
    assert np.abs(check.mean).max() < 0.2
    shifted = scores.expected_score(x, np.where(x[:, 0] > 0, 1.0, 0.0))
    assert (shifted.pulls[:, 0] > 10).all()
    with pytest.raises(InputError, match=r"weights of 5000 events have shape \(3,\)"):
        scores.expected_score(x, np.ones(3))


def test_members_must_fit_together(scores):
    with pytest.raises(InputError, match="at least one trained member"):
        Ensemble(())
    moved = dataclasses.replace(scores.members[0], method="sallino")
    with pytest.raises(InputError, match="members of one method and one reference"):
        Ensemble((scores.members[0], moved))


@pytest.mark.parametrize("method", ["alice", pytest.param("scandal", marks=pytest.mark.nightly)])
def test_an_estimator_is_read_as_it_was_written(tmp_path, method):
    ensemble = Ensemble((ratio(method),))
    ensemble.save(tmp_path)
    found = Ensemble.load(tmp_path)
    x, theta = toys.events(20), toys.points(3)
    np.testing.assert_array_equal(found.log_ratio(x, theta), ensemble.log_ratio(x, theta))
    np.testing.assert_array_equal(found.score(x), ensemble.score(x))
    assert np.isnan(found.log_ratio_spread(x, theta)).all()
    first, second = found.members[0], ensemble.members[0]
    for name in ("method", "settings", "seed", "structure", "history", "key"):
        assert getattr(first, name) == getattr(second, name)
    if method == "scandal":
        density = ensemble.log_density(x, theta)
        np.testing.assert_array_equal(found.log_density(x, theta), density)


def test_members_are_read_in_the_order_of_their_numbers(tmp_path, scores):
    for number, member in ((10, scores.members[0]), (9, scores.members[1])):
        member.save(tmp_path / f"member_{number}")
    assert [member.seed for member in Ensemble.load(tmp_path).members] == [2, 1]


def test_missing_and_damaged_files_are_told(tmp_path, scores):
    with pytest.raises(MissingArtifact, match="has no trained member"):
        Ensemble.load(tmp_path)
    with pytest.raises(MissingArtifact, match=r"model\.json does not exist"):
        Estimator.load(tmp_path)
    scores.members[0].save(tmp_path)
    weights, model = tmp_path / "weights.npz", tmp_path / "model.json"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1])
    with pytest.raises(ChecksumError, match="is not the file that was written with its record"):
        Estimator.load(tmp_path)
    weights.unlink()
    with pytest.raises(MissingArtifact, match="made by the training"):
        Estimator.load(tmp_path)
    weights.write_bytes(content)
    record = json.loads(model.read_text(encoding="utf-8"))
    for change, message in (
        ({"format": 99}, f"has format 99, this version reads {FORMAT}"),
        ({"settings": {**record["settings"], "hidden": [9]}}, "weights of another network"),
    ):
        model.write_text(json.dumps({**record, **change}), encoding="utf-8")
        with pytest.raises(StorageError, match=message):
            Estimator.load(tmp_path)
    # What cannot be read is no finished model: it is trained again.
    for content in (json.dumps({**record, "format": 1}), "{", "[]"):
        model.write_text(content, encoding="utf-8")
        assert read_key(tmp_path) is None
    model.write_text(json.dumps(record), encoding="utf-8")
    assert read_key(tmp_path) == record["key"]


def test_a_file_that_holds_no_arrays_is_told(tmp_path, scores):
    from hepflow.storage.digests import sha256_file

    scores.members[0].save(tmp_path)
    weights, model = tmp_path / "weights.npz", tmp_path / "model.json"
    record = json.loads(model.read_text(encoding="utf-8"))
    np.savez(weights, frame_mean=np.zeros(2))
    changed = {**record, "sha256": sha256_file(weights)}
    model.write_text(json.dumps(changed), encoding="utf-8")
    with pytest.raises(StorageError, match=r"weights\.npz lacks"):
        Estimator.load(tmp_path)
    weights.write_bytes(b"no zip file")
    changed = {**record, "sha256": sha256_file(weights)}
    model.write_text(json.dumps(changed), encoding="utf-8")
    with pytest.raises(StorageError, match="does not hold arrays"):
        Estimator.load(tmp_path)
