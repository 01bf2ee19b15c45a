"""Event files in MadMiner's layout: read, written, broken."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hepflow.errors import HepflowError, InputError, StorageError, UnreadableFile
from hepflow.inference.event_file import morphing_of, read_events, write_events
from hepflow.inference.morphing import find_components, points_of
from hepflow.inference.nuisances import add_normalisation, response_of, with_nuisances
from hepflow.inference.records import Nuisance
from tests.unit.inference.toys import MORPHING, shared, table

h5py = pytest.importorskip("h5py")


def mixture(n: int = 300):
    """Of several benchmarks, with weights that only all events together represent."""
    sampled = np.random.default_rng(2).integers(0, 6, n)
    return replace(table(n), sampled_from=sampled, provenance={"seed": 7})


def events(n: int = 300):
    """Equal weights where they are from, nuisance parameters of each kind, words for axes."""
    made = mixture(n)
    own = made.weights[np.arange(n), made.sampled_from]
    made = replace(made, weights=made.weights / own[:, None] / n)
    scale = {
        "mu_up": made.weights[:, 0] * (1 + 0.1 * made.x[:, 0]),
        "mu_down": made.weights[:, 0] * (1 - 0.1 * made.x[:, 0]),
        "pdf_0": made.weights[:, 0] * 1.01,
    }
    nuisances = [Nuisance("mu", "mu_up", "mu_down"), Nuisance("pdf", "pdf_0", kind="pdf")]
    return add_normalisation(with_nuisances(made, nuisances, scale), "lumi", 0.1)


def test_the_shared_file():
    found = read_events(shared("sbi/madminer_dummy_data.h5"))
    assert [p.name for p in found.parameters] == ["CWL2", "CPWL2"]
    assert found.parameters[1].lha_block == "dim6"
    assert (found.parameters[1].lha_id, found.parameters[1].low) == (5, -10.0)
    assert [b.name for b in found.benchmarks[:2]] == ["sm", "w"]
    assert found.benchmarks[1].values == (10.0, 0.0)
    assert found.observables == ("pt_j1", "delta_phi_jj")
    assert found.x.shape == (5821, 2)
    assert found.provenance["definitions"]["pt_j1"] == "j[0].pt"
    assert found.provenance["transforms"] == ["16.52*theta"] * 2  # words, never evaluated
    # Numbers of the file: events of each benchmark have weights that add up to the
    # cross-section, and count in proportion to their number.
    with h5py.File(shared("sbi/madminer_dummy_data.h5")) as file:
        raw = file["samples/weights"][()]
        origin = file["samples/sampling_benchmarks"][()]
        matrix = file["morphing/morphing_matrix"][()]
        components = file["morphing/components"][()]
    numbers = np.array([911, 980, 973, 989, 981, 987])
    np.testing.assert_allclose(
        found.weights.sum(axis=0),
        sum(raw[origin == k].sum(axis=0) * numbers[k] / 5821 for k in range(6)),
    )
    # MadMiner's morphing, from the matrix that it wrote
    morphing = morphing_of(found)
    theta = np.array([1.5, -2.5])
    monomial = (theta**components).prod(axis=1)
    np.testing.assert_allclose(morphing.coefficients(theta), matrix.T @ monomial, atol=1e-12)


def test_what_is_written_is_read(tmp_path):
    made = events()
    write_events(tmp_path / "events.h5", made, {"z_0": "j[0].pt"})
    found = read_events(tmp_path / "events.h5")
    for name in ("parameters", "benchmarks", "observables", "nuisances"):
        assert getattr(found, name) == getattr(made, name)
    np.testing.assert_array_equal(found.x, made.x)
    np.testing.assert_array_equal(found.sampled_from, made.sampled_from)
    np.testing.assert_allclose(found.weights, made.weights, rtol=1e-13)
    assert found.nuisance_weights.keys() == made.nuisance_weights.keys()
    for name, one in made.nuisance_weights.items():
        np.testing.assert_allclose(found.nuisance_weights[name], one, rtol=1e-13)
    assert found.provenance["seed"] == 7
    assert found.provenance["definitions"] == {"z_0": "j[0].pt", "z_1": "None"}
    np.testing.assert_allclose(response_of(found).linear, response_of(made).linear, atol=1e-12)
    # and once more, with what reading added
    write_events(tmp_path / "again.h5", found)
    again = read_events(tmp_path / "again.h5")
    assert again.provenance == found.provenance
    np.testing.assert_allclose(again.weights, found.weights, rtol=1e-13)


def test_events_with_the_weights_of_a_mixture(tmp_path):
    # MadMiner would take those from one benchmark for a sample of it: it is not told where from.
    made = mixture()
    write_events(tmp_path / "events.h5", made)
    found = read_events(tmp_path / "events.h5")
    np.testing.assert_array_equal(found.sampled_from, made.sampled_from)
    np.testing.assert_array_equal(found.weights, made.weights)
    with h5py.File(tmp_path / "events.h5") as file:
        assert set(file["samples/sampling_benchmarks"][()]) == {-1}
        assert file["sample_summary/background_events"][()] == 300
        np.testing.assert_array_equal(file["samples/weights"][()], made.weights)


def test_the_shared_file_written_again(tmp_path):
    original = shared("sbi/madminer_dummy_data.h5")
    write_events(tmp_path / "again.h5", read_events(original))
    with h5py.File(original) as one, h5py.File(tmp_path / "again.h5") as other:
        keys = []
        one.visititems(lambda key, item: keys.append(key) if hasattr(item, "shape") else None)
        assert len(keys) == 19
        for key in keys:
            found, wanted = other[key][()], one[key][()]
            if found.dtype.kind == "f":
                np.testing.assert_allclose(found, wanted, rtol=1e-14, atol=1e-15)
            else:
                np.testing.assert_array_equal(found, wanted)
    again = read_events(tmp_path / "again.h5")
    np.testing.assert_array_equal(again.weights, read_events(original).weights)
    np.testing.assert_array_equal(again.sampled_from, read_events(original).sampled_from)


def test_layout_of_a_file(tmp_path):
    write_events(tmp_path / "events.h5", events())
    with h5py.File(tmp_path / "events.h5") as file:
        assert file["parameters/names"].dtype == np.dtype("S256")
        assert file["parameters/transforms"][0] == b"theta"
        assert list(file["benchmarks/is_reference"]) == [1] + [0] * 10
        assert list(file["benchmarks/is_nuisance"]) == [0] * 6 + [1] * 5
        assert file["benchmarks/values"].shape == (11, 2)
        assert file["samples/weights"].shape == (300, 11)
        counts = np.bincount(file["samples/sampling_benchmarks"][()])
        np.testing.assert_array_equal(file["sample_summary/signal_events"][()], counts)
        assert file["sample_summary/background_events"][()] == 0
        # of another type than scale MadMiner cannot read them
        assert [w.decode() for w in file["systematics/names"]] == ["mu"]
        assert [w.decode() for w in file["systematics/scales"]] == ["mu"]
        assert file["nuisance_parameters/benchmark_negative"][1] == b"None"
        # the matrix is that of monomials in the parameters themselves
        matrix = file["morphing/morphing_matrix"][()]
        theta = np.array([0.3, 0.7])
        monomial = (theta ** file["morphing/components"][()]).prod(axis=1)
        np.testing.assert_allclose(matrix.T @ monomial, MORPHING.coefficients(theta), atol=1e-13)


def test_types_of_nuisance_parameters_that_madminer_wrote(tmp_path):
    write_events(tmp_path / "events.h5", events())
    with h5py.File(tmp_path / "events.h5", "a") as file:
        del file["hepflow"], file["systematics"]
        file["systematics/names"] = np.array([b"mu", b"pdf", b"lumi"])
        file["systematics/types"] = np.array([b"scale", b"pdf", b"norm"])
    kinds = [nuisance.kind for nuisance in read_events(tmp_path / "events.h5").nuisances]
    assert kinds == ["scale", "pdf", "normalisation"]


def test_events_of_no_benchmark(tmp_path):
    made = replace(table(50), sampled_from=np.full(50, -1))
    write_events(tmp_path / "events.h5", made)
    found = read_events(tmp_path / "events.h5")
    np.testing.assert_array_equal(found.weights, made.weights)
    with h5py.File(tmp_path / "events.h5") as file:
        assert file["sample_summary/background_events"][()] == 50


def test_a_file_without_benchmarks_of_events(tmp_path):
    made = replace(table(50), sampled_from=np.full(50, -1))
    write_events(tmp_path / "events.h5", made)
    with h5py.File(tmp_path / "events.h5", "a") as file:  # as the first versions of MadMiner did
        for key in ("samples/sampling_benchmarks", "sample_summary", "benchmarks/is_nuisance",
                    "benchmarks/is_reference"):  # fmt: skip
            del file[key]
    found = read_events(tmp_path / "events.h5")
    np.testing.assert_array_equal(found.weights, made.weights)
    assert (found.sampled_from == -1).all()


def test_components_of_the_file_are_used(tmp_path):
    # Up to four powers together, as MadMiner sets it up by default: nine components.
    from hepflow.inference.records import Benchmark

    made = table(30)
    nine = np.array([[i, j] for i in range(3) for j in range(3)])
    rng = np.random.default_rng(1)
    benchmarks = tuple(Benchmark(f"b{k}", tuple(v)) for k, v in enumerate(rng.normal(size=(9, 2))))
    more = replace(
        made, benchmarks=benchmarks, weights=np.abs(rng.normal(size=(30, 9))),
        provenance={"components": nine.tolist()},
    )  # fmt: skip
    write_events(tmp_path / "events.h5", more)
    found = read_events(tmp_path / "events.h5")
    morphing = morphing_of(found)
    assert len(morphing.components) == 9 > len(find_components(found.parameters))
    np.testing.assert_allclose(
        morphing.coefficients(points_of(found.parameters, benchmarks)), np.eye(9), atol=1e-9
    )


def test_benchmarks_that_do_not_span_are_stored_all_the_same(tmp_path):
    made = table(20)
    few = replace(made, benchmarks=made.benchmarks[:2], weights=made.weights[:, :2])
    write_events(tmp_path / "events.h5", few)
    found = read_events(tmp_path / "events.h5")
    with pytest.raises(InputError, match="do not determine"):
        morphing_of(found)


# -- faults ----------------------------------------------------------------------------------

KEYS = [
    "parameters/names", "parameters/val_ranges", "parameters/max_power", "parameters/lha_blocks",
    "benchmarks/names", "benchmarks/values", "observables/names", "samples/observations",
    "samples/weights",
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS)
def test_each_missing_part_is_named(tmp_path, key):
    path = tmp_path / "events.h5"
    write_events(path, events())
    with h5py.File(path, "a") as file:
        del file[key]
    with pytest.raises(InputError, match=f"events.h5: '{key}' is not there"):
        read_events(path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("samples/weights", np.zeros((300, 5)), "expected 300 x 11 numbers"),
        ("samples/weights", np.zeros(300), "expected 300 x 11 numbers"),
        ("samples/observations", np.zeros((300, 3)), "expected n x 2 numbers"),
        ("samples/observations", np.array([[b"a", b"b"]]), "expected n x 2 numbers"),
        ("samples/sampling_benchmarks", np.full(300, 6), "event 0 is from benchmark number 6"),
        ("sample_summary/signal_events", np.zeros(6), "combine the files again"),
        ("sample_summary/signal_events", np.ones(2), "combine the files again"),
        ("benchmarks/values", np.zeros((11, 3)), "expected 11 x 2 numbers"),
        ("parameters/names", np.array([1, 2]), "expected a list of names"),
        ("parameters/lha_blocks", np.array([b"x"]), "has 1 entries; expected 2"),
        ("nuisance_parameters/benchmark_positive", np.array([b"mu_pu", b"pdf_0", b"lumi_up"]),
         "weight at 'mu_pu', which is not a benchmark of the file. Did you mean 'mu_up'"),
        ("parameters/max_power", np.array([2, 2**40]), "expected finite ranges and powers"),
        ("hepflow/record", np.bytes_(b"{"), "does not hold JSON"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(tmp_path, key, value, message):
    path = tmp_path / "events.h5"
    write_events(path, events())
    with h5py.File(path, "a") as file:
        del file[key]
        file[key] = value
    with pytest.raises(InputError, match=message) as caught:
        read_events(path)
    assert "events.h5" in str(caught.value)
    assert key in str(caught.value) or "nuisance parameter" in str(caught.value)


def test_weights_that_are_not_finite_are_named(tmp_path):
    path = tmp_path / "events.h5"
    write_events(path, events())
    with h5py.File(path, "a") as file:
        file["samples/weights"][5, 1] = np.nan
    with pytest.raises(
        InputError, match=r"events\.h5: the weight of benchmark 'plus' is nan in ev"
    ):
        read_events(path)


def test_files_that_are_none(tmp_path):
    with pytest.raises(UnreadableFile, match="there is no event file"):
        read_events(tmp_path / "absent.h5")
    (tmp_path / "text.h5").write_text("events")
    with pytest.raises(UnreadableFile, match=r"text.h5 cannot be used as an HDF5 event file"):
        read_events(tmp_path / "text.h5")


def test_truncation_anywhere_is_one_error(tmp_path):
    whole = tmp_path / "events.h5"
    write_events(whole, events(50))
    data = whole.read_bytes()
    broken = tmp_path / "broken.h5"
    for share in np.linspace(0, 0.99, 25):
        broken.write_bytes(data[: int(len(data) * share)])
        with pytest.raises(HepflowError, match=r"broken\.h5"):
            read_events(broken)


def test_bytes_that_rot_never_give_a_traceback(tmp_path):
    whole = tmp_path / "events.h5"
    write_events(whole, events(20))
    data = bytearray(whole.read_bytes())
    broken = tmp_path / "broken.h5"
    rng = np.random.default_rng(1)
    for place in rng.integers(0, len(data), 60):
        changed = data.copy()
        changed[place] ^= 0xFF
        broken.write_bytes(changed)
        try:
            read_events(broken)
        except HepflowError as error:
            assert "broken.h5" in str(error)  # noqa: PT017  (most places hold numbers: no error)


def test_nothing_is_left_of_a_failed_write(tmp_path):
    path = tmp_path / "events.h5"
    write_events(path, table(10))
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"cannot stand in an event file under 'observables/nam"):
        write_events(path, replace(table(10), observables=("ö", "z")))
    with pytest.raises(InputError, match="256 ASCII"):
        write_events(path, replace(table(10), observables=("z" * 300, "z")))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_folders_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        write_events(tmp_path / "file" / "events.h5", table(10))
