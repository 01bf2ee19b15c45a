"""What runs keep is listed, removed and verified; nothing else is touched."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from hepflow.cli import main
from hepflow.keys import make_key
from hepflow.planning.inventory import Places, chosen, kept_files
from hepflow.planning.verification import verify
from hepflow.stamps import write_stamp
from hepflow.storage import write_json, write_part

DAY = 86_400.0
NAME = "a" * 64


@pytest.fixture
def places(tmp_path):
    """A cache and an output folder with one artifact of each kind, and strangers beside them."""
    cache, out = tmp_path / "cache", tmp_path / "out"
    for folder in ("histograms/merged", "histograms/parts", "duplicates", "isolated"):
        write_part(cache / folder / f"{NAME}.pkl", {"x": 1})
        (cache / folder / "mine.txt").write_text("not of hepflow")
    write_part(cache / "histograms" / "prepared" / f"{NAME}-all.pkl", {"x": 1})
    code = cache / "bundles" / ("0" * 32) / "code"
    code.mkdir(parents=True)
    (code / "cuts.py").write_text("unpacked")
    sample = cache / "samples" / "0123456789ab" / "data"
    sample.mkdir(parents=True)
    (sample / "data_0.root").write_text("events")
    (cache / "thesis.tex").write_text("not of hepflow")
    write_json(out / "metadata" / "files.json", {"format": 1, "files": {}})
    plots = out / "plots" / "SR"
    plots.mkdir(parents=True)
    (plots / "met.png").write_text("picture")
    write_stamp(plots, make_key("figure", x=1), [plots / "met.png"], ".met.key.json")
    (out / "notes.txt").write_text("not of hepflow")
    return Places(cache, out, out / "metadata", out / "skimmed")


@pytest.fixture
def words(places):
    return [f"--cache-dir={places.cache}", f"--output-dir={places.output}"]


def names(places):
    return {str(one.path.relative_to(places.cache.parent)) for one in kept_files(places)}


def everything(folder):
    return {str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file()}


def test_only_files_of_known_names_are_listed(places):
    assert names(places) == {
        f"cache/histograms/merged/{NAME}.pkl",
        f"cache/histograms/parts/{NAME}.pkl",
        f"cache/histograms/prepared/{NAME}-all.pkl",
        f"cache/duplicates/{NAME}.pkl",
        f"cache/isolated/{NAME}.pkl",
        f"cache/bundles/{'0' * 32}/code/cuts.py",
        "cache/samples/0123456789ab/data/data_0.root",
        "out/metadata/files.json",
        "out/plots/SR/met.png",
        "out/plots/SR/.met.key.json",
    }


def test_folders_that_are_not_there_hold_nothing(tmp_path):
    nowhere = tmp_path / "nowhere"
    assert list(kept_files(Places(nowhere, nowhere, nowhere, nowhere))) == []


def test_links_are_neither_followed_nor_removed(places, words, capsys):
    precious = places.cache.parent / "precious"
    write_part(precious / f"{NAME}.pkl", {"x": 1})
    (places.cache / "luminosity").symlink_to(precious)
    link = places.cache / "histograms" / "merged" / f"{'b' * 64}.pkl"
    link.symlink_to(precious / f"{NAME}.pkl")
    assert not any("luminosity" in name or "bbb" in name for name in names(places))
    assert main(["cache", "rm", "all", "--yes", *words]) == 0
    assert (precious / f"{NAME}.pkl").exists()
    assert link.is_symlink()


def test_a_cache_that_is_a_link_is_not_looked_into(places, words, capsys):
    link = places.cache.parent / "link"
    link.symlink_to(places.cache)
    before = everything(places.cache)
    assert main(["cache", "rm", "all", "--yes", f"--cache-dir={link}", words[1]]) == 0
    assert everything(places.cache) == before


def test_all_is_what_a_run_makes_again(places, words, capsys):
    assert main(["cache", "rm", "all", "--yes", *words]) == 0
    told = capsys.readouterr().out
    assert "Removed" in told
    assert everything(places.cache.parent) == {
        "cache/histograms/merged/mine.txt",
        "cache/histograms/parts/mine.txt",
        "cache/duplicates/mine.txt",
        "cache/isolated/mine.txt",
        "cache/samples/0123456789ab/data/data_0.root",
        "cache/thesis.tex",
        "out/notes.txt",
        "out/plots/SR/met.png",
        "out/plots/SR/.met.key.json",
    }
    assert not (places.cache / "histograms" / "prepared").exists()  # nothing is left in it


def test_one_kind_and_a_dry_run(places, words, capsys):
    before = everything(places.cache)
    assert main(["cache", "rm", "parts", "--dry-run", "--json=-", *words]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [Path(path).parent.name for path in told["files"]] == ["parts"]
    assert told["removed"] is False
    assert everything(places.cache) == before
    assert main(["cache", "rm", "parts", "samples", *words]) == 0
    assert before - everything(places.cache) == {
        f"histograms/parts/{NAME}.pkl",
        "samples/0123456789ab/data/data_0.root",
    }


def test_what_was_used_lately_stays(places, words, capsys):
    old = places.cache / "histograms" / "merged" / f"{NAME}.pkl"
    os.utime(old, (time.time() - 3 * DAY,) * 2)
    assert main(["cache", "rm", "merged", "parts", "--older-than=2", *words]) == 0
    assert not old.exists()
    assert (places.cache / "histograms" / "parts" / f"{NAME}.pkl").exists()


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (["rm"], "remove what?"),
        (["rm", "al"], "Did you mean 'all'?"),
        (["rm", "all"], "add --yes"),
        (["rm", "plots"], "no kind 'plots'"),
        (["ls", "merged"], "looks at everything"),
        (["ls", "--yes"], "an option of `cache rm`"),
        (["rm", "all", "--remove"], "an option of `cache verify`"),
        (["clean"], "invalid choice"),
        (["ls", "general.lumi=3"], "needs a configuration"),
        (["ls", "--config=x:y", "--cache-dir=z"], "not both"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong, expected, capsys):
    assert main(["cache", *wrong]) == 2
    assert expected in capsys.readouterr().err


def test_sizes_add_up(places, words, capsys):
    assert main(["cache", "ls", "--json=-", *words]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["files"] == 10
    assert told["size"] == sum(one.size for one in kept_files(places))
    assert told["kinds"]["merged"]["files"] == 1
    assert told["kinds"]["skims"] == {"files": 0, "size": 0, "last_used": None}
    assert main(["cache", "ls", *words]) == 0
    assert "filled histograms" in " ".join(capsys.readouterr().out.split())


def test_what_is_whole_verifies(places, words, capsys):
    assert verify(places).damaged == ()
    assert main(["cache", "verify", *words]) == 0
    assert "none" in capsys.readouterr().out


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))


@pytest.mark.parametrize(
    "name",
    [
        f"cache/histograms/merged/{NAME}.pkl",
        f"cache/isolated/{NAME}.pkl",
        "out/plots/SR/met.png",
        "out/plots/SR/.met.key.json",
    ],
)
def test_a_changed_byte_is_found_and_can_be_cleared_away(places, words, capsys, name):
    path = places.cache.parent / name
    if path.suffix == ".json":
        path.write_text("{")
    else:
        flip(path)
    (found,) = verify(places).damaged
    assert found.path == path
    assert main(["cache", "verify", *words]) == 1
    assert path.name[:20] in capsys.readouterr().out
    assert path.exists()
    assert main(["cache", "verify", "--remove", *words]) == 0
    assert not path.exists()


def test_a_missing_figure_is_told(places):
    (places.output / "plots" / "SR" / "met.png").unlink()
    (found,) = verify(places).damaged
    assert found.what == "it is not there"


def test_broken_metadata_is_found(places):
    (places.metadata / "files.json").write_text("{")
    assert [one.kind for one in verify(places).damaged] == ["metadata"]


def test_a_stamp_cannot_name_files_elsewhere(places, words, capsys):
    victim = places.cache.parent / "victim"
    victim.write_text("precious")
    stamp = places.output / "plots" / "SR" / ".met.key.json"
    content = json.loads(stamp.read_text())
    content["files"]["../../../victim"] = {"size": 1, "mtime_ns": 0, "sha256": ""}
    stamp.write_text(json.dumps(content))
    assert main(["cache", "verify", "--remove", *words]) == 0
    assert victim.read_text() == "precious"


def test_results_are_never_chosen():
    assert {kind.name for kind in chosen(["all", "plots", "statistics"])} == {
        "merged",
        "parts",
        "prepared",
        "duplicates",
        "luminosity",
        "isolated",
        "bundles",
        "metadata",
        "skims",
    }
