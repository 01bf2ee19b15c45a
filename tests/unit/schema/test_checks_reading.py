"""Checks of columns: objects that functions name are there, and computed before they are read."""

from __future__ import annotations

import pytest

from tests.unit.schema.examples import changed, mask, number, problems_in, put, valid

HT = ("Ghost", "ht")
CUT = {"name": "hard", "function": mask, "use": [HT]}
BY = {"function": mask, "use": [HT]}
MASKS = "good_object_masks__analysis__0"
SYSTEMATIC, SCALE = "systematics__1", "corrections__1"
BEHIND = {"names": "more", "collections": "Late", "function": number, "use": [HT]}
IN_JET = {"names": "score", "collections": "Jet", "function": number, "use": ["Jet.pt"]}


def with_ghosts(*ghosts, **changes):
    """Further ghost observables behind the one of the example."""
    config = changed(**changes)
    config["ghost_observables"] += list(ghosts)
    return config


@pytest.mark.parametrize(("name", "hint"), [("Muons", "Did you mean 'Muon'?"), ("Tau", "Valid:")])
def test_the_object_of_a_mask_is_one_that_is_read(name, hint):
    problems = problems_in(changed(**{f"{MASKS}__object": name}))
    place = "good_object_masks.analysis[0].object"
    assert list(problems) == [place]
    assert f"'{name}' is not an object of preprocess.branches." in str(problems[place])
    assert hint in str(problems[place])


@pytest.mark.parametrize(
    "config",
    [
        changed(channels__0__selection={"cuts": [CUT]}),
        changed(channels__0__observables__0__use=[HT]),
        changed(corrections__0__use=[HT]),
        changed(**{f"{SYSTEMATIC}__use": [HT, "Ghost"]}),
        changed(baseline_selection={"cuts": [{**CUT, "use": ["Jet.pt"]}], "n_minus_1": [
            {"cut": "hard", "binning": "0,1,2", "function": number, "use": [HT]}
        ]}),
        with_ghosts(BEHIND),
        with_ghosts(IN_JET, channels__0__observables__0__use=["Jet.score"]),
        with_ghosts({**IN_JET, "names": "pt"}, baseline_selection={**BY, "use": ["Jet.pt"]}),
        with_ghosts({**IN_JET, "collections": "event"}, baseline_selection={**BY, "use": ["Jet"]}),
    ],
    ids=range(9),
)  # fmt: skip
def test_what_comes_later_reads_ghost_observables(config):
    assert problems_in(config) == {}


@pytest.mark.parametrize(
    ("config", "path", "what"),
    [
        (changed(baseline_selection=BY), "baseline_selection.use[0]", "Ghost.ht"),
        (changed(baseline_selection={"cuts": [CUT]}), "baseline_selection.cuts[0].use[0]",
         "Ghost.ht"),
        (changed(**{f"{MASKS}__use": ["Ghost"]}), "good_object_masks.analysis[0].use[0]", "Ghost"),
        (changed(**{f"{MASKS}__object": "Ghost"}), "good_object_masks.analysis[0].object", "Ghost"),
        (changed(**{f"{SCALE}__use": [HT]}), "corrections[1].use[0]", "Ghost.ht"),
        (changed(**{f"{SCALE}__target": HT}), "corrections[1].target", "Ghost.ht"),
        (changed(**{SYSTEMATIC: {"name": "e", "type": "object", "up_function": number,
                                 "use": [HT], "target": ("Jet", "pt")}}),
         "systematics[1].use[0]", "Ghost.ht"),
        (changed(preprocess__skimming__selection_use=[HT]),
         "preprocess.skimming.use[0]", "Ghost.ht"),
        (changed(datasets__datasets__0__keep=BY), "datasets.datasets[0].keep.use[0]", "Ghost.ht"),
        (with_ghosts(IN_JET, baseline_selection={**BY, "use": ["Jet.score"]}),
         "baseline_selection.use[0]", "Jet.score"),
        (with_ghosts({**IN_JET, "collections": "event"},
                     baseline_selection={**BY, "use": [("event", "score")]}),
         "baseline_selection.use[0]", "event.score"),
    ],
    ids=range(11),
)  # fmt: skip
def test_what_comes_before_them_does_not(config, path, what):
    problems = problems_in(config)
    assert list(problems) == [path]
    assert str(problems[path]).startswith(f"{path}: '{what}' is a ghost observable (ghost_obs")
    assert "compute it here, from branches." in problems[path].hint


def test_ghost_observables_read_those_before_them():
    config = valid()
    config["ghost_observables"].insert(0, BEHIND)
    problems = problems_in(config)
    assert list(problems) == ["ghost_observables[0].use[0]"]
    assert "'Ghost.ht' is computed by ghost_observables[1], which is not done by then." in str(
        problems["ghost_observables[0].use[0]"]
    )
    put(config, "ghost_observables__0__use", [("Late", "more")])  # its own
    assert list(problems_in(config)) == ["ghost_observables[0].use[0]"]


def test_a_branch_is_no_collection():
    config = with_ghosts({**IN_JET, "collections": "HLT_TkMu50"})
    problems = problems_in(config)
    path = "ghost_observables[1].collections[0]"
    assert list(problems) == [path]
    assert "'HLT_TkMu50' is a branch without an object." in str(problems[path])
