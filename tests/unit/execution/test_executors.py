"""Every executor gives the same outcomes; one failure or death does not touch the others."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from hepflow.errors import ConfigurationError, ExecutionError, MissingBranch
from hepflow.execution import EXECUTORS, Failure, Outcome, make_executor
from hepflow.execution import pool as pool_module

CLUSTER = """
import dask
from distributed import LocalCluster
if __name__ == "__main__":
    dask.config.set({"distributed.scheduler.allowed-failures": 0})
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        print(cluster.scheduler_address, flush=True)
        input()
"""


@contextlib.contextmanager
def cluster(folder):
    (folder / "cluster.py").write_text(CLUSTER)
    with subprocess.Popen(
        [sys.executable, "cluster.py"],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        yield process.stdout.readline().strip()
        # A cluster that lost workers takes long to close; its process group goes at once.
        os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    with cluster(tmp_path_factory.mktemp("cluster")) as address:
        yield address


@pytest.fixture(scope="module")
def loky():
    with make_executor("loky", workers=2) as executor:
        yield executor


@pytest.fixture(params=sorted(EXECUTORS))
def executor(request):
    if request.param == "loky":
        yield request.getfixturevalue("loky")
        return
    address = request.getfixturevalue("scheduler") if request.param == "dask" else None
    with make_executor(request.param, scheduler=address) as made:
        yield made


def square(x):
    if x == 3:
        error = MissingBranch("branch 'Muon_px'")
        error.add_note("file: a.root")
        raise error
    if x == 4:
        raise SystemExit(5)
    return x * x


def test_outcomes_are_those_of_a_loop_and_a_failure_stays_alone(executor):
    outcomes = sorted(executor.map(square, range(7), label="squares"), key=lambda o: o.index)
    assert [o.index for o in outcomes] == [o.item for o in outcomes] == list(range(7))
    assert [o.value for o in outcomes] == [0, 1, 4, None, None, 25, 36]
    assert [o.ok for o in outcomes] == [True, True, True, False, False, True, True]
    failure = outcomes[3].error
    assert (failure.type_name, failure.message) == ("MissingBranch", "branch 'Muon_px'")
    assert failure.notes == ("file: a.root",)
    assert failure.is_hepflow
    assert failure.worker > 0
    assert "in square" in failure.traceback
    assert outcomes[4].error.type_name == "SystemExit"
    assert all(o.seconds >= 0 for o in outcomes)


def test_nothing_to_do_is_done(executor):
    assert list(executor.map(square, [], label="nothing")) == []


def test_each_item_is_counted_on_the_progress_display(executor, monkeypatch):
    seen = []

    class Bar:
        def advance(self, n):
            seen.append(n)

    @contextlib.contextmanager
    def progress(label, total):
        seen.append((label, total))
        yield Bar()
        seen.append("end")

    monkeypatch.setattr(executor, "progress", progress)
    assert len(list(executor.map(square, range(4), label="squares"))) == 4
    assert seen == [("squares", 4), 1, 1, 1, 1, "end"]


def burn(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_the_time_is_cpu_time(executor):
    busy, idle = list(executor.map(burn, [0.2, 0], label="x"))
    if busy.item == 0:
        busy, idle = idle, busy
    assert 0.19 < busy.seconds < 0.5
    assert idle.seconds < 0.1


def die_at_five(folder, x):
    with (Path(folder) / f"{x}").open("a") as file:
        file.write("x")
    if x == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.02)
    return x


@pytest.mark.parametrize("max_retries", [0, 2])
def test_an_item_that_kills_its_worker_is_the_only_one_lost(tmp_path, max_retries):
    with make_executor("loky", workers=2, max_retries=max_retries) as executor:
        function = functools.partial(die_at_five, str(tmp_path))
        outcomes = sorted(executor.map(function, range(9), label="x"), key=lambda o: o.index)
    assert [o.value for o in outcomes] == [0, 1, 2, 3, 4, None, 6, 7, 8]
    lost = outcomes[5].error
    assert lost.type_name == "WorkerLost"
    assert "the worker process died" in lost.message
    tries = len((tmp_path / "5").read_text())
    assert tries == max(2, 1 + max_retries)  # once among others, at least once alone


def test_a_machine_on_which_every_worker_dies_is_given_up_soon():
    with make_executor("loky", workers=2, max_retries=0) as executor:
        outcomes = list(executor.map(lambda _: os._exit(1), range(40), label="x"))
    assert len(outcomes) == 40
    assert {o.error.type_name for o in outcomes} == {"WorkerLost"}
    assert sum("not tried" in o.error.message for o in outcomes) >= 35


def test_a_worker_lost_on_the_cluster_is_one_failure(tmp_path):
    # A cluster of its own: the nannies of this one are busy replacing workers.
    with cluster(tmp_path) as address, make_executor("dask", scheduler=address) as executor:
        function = functools.partial(die_at_five, str(tmp_path))
        outcomes = sorted(executor.map(function, [4, 5, 6], label="x"), key=lambda o: o.index)
    assert [o.value for o in outcomes] == [4, None, 6]
    assert outcomes[1].error.type_name == "WorkerLost"


def test_what_cannot_be_sent_is_named(loky):
    lock = threading.Lock()
    with pytest.raises(ExecutionError, match=r"can't be sent to worker processes.*inprocess"):
        list(loky.map(lambda x: lock, [1], label="x"))
    out = sorted(loky.map(square, [1, lock, 2], label="x"), key=lambda o: o.index)
    assert [o.value for o in out] == [1, None, 4]
    assert "lock" in out[1].error.message
    (back,) = loky.map(lambda x: threading.Lock(), [1], label="x")
    assert "lock" in back.error.message


class Breaks:
    def __reduce__(self):
        return int, ("x",)


def test_a_value_that_cannot_be_read_is_the_failure_of_its_item(loky):
    (outcome,) = loky.map(lambda x: Breaks(), [1], label="x")
    assert outcome.error.type_name == "ValueError"


def test_workers_are_reused_and_single_threaded(loky):
    def look(_):
        time.sleep(0.02)
        return os.getpid(), os.environ["OMP_NUM_THREADS"]

    seen = [{o.value for o in loky.map(look, range(6), label="x")} for _ in range(2)]
    assert seen[0] == seen[1]
    assert len(seen[0]) == 2
    assert {threads for _, threads in seen[0]} == {"1"}


def test_the_function_is_unpickled_once_per_worker(loky):
    class Counting:
        def __setstate__(self, state):
            import builtins

            builtins.hepflow_loads = getattr(builtins, "hepflow_loads", 0) + 1

        def __getstate__(self):
            return {"x": 1}

        def __call__(self, _):
            import builtins

            return builtins.hepflow_loads

    assert {o.value for o in loky.map(Counting(), range(20), label="x")} == {1}


def test_results_that_nobody_takes_stop_the_flow(loky, tmp_path):
    def touch(x):
        (tmp_path / str(x)).write_text("")
        return x

    outcomes = loky.map(touch, range(100), label="x")
    next(outcomes)
    time.sleep(0.5)
    # one taken, the queue, one held by the scheduler, and what the workers had by then
    assert len(list(tmp_path.iterdir())) <= 1 + 2 * loky.workers + 1 + 2 * loky.workers
    outcomes.close()


def test_work_ahead_starts_before_its_outcomes_are_asked_for(loky, tmp_path):
    def touch(x):
        (tmp_path / str(x)).write_text("")
        return x

    early = loky.map(touch, range(100), label="x", ahead=True)
    late = loky.map(abs, [-1, -2], label="y", ahead=True)  # beside it, on the same workers
    deadline = time.monotonic() + 30
    while len(list(tmp_path.iterdir())) < 100 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(list(tmp_path.iterdir())) == 100
    assert sorted(one.value for one in late) == [1, 2]
    assert sorted(one.value for one in early) == list(range(100))


def test_outcomes_are_the_same_ahead(executor):
    assert sorted(one.value for one in executor.map(abs, [-3, 1], label="x", ahead=True)) == [1, 3]
    assert list(executor.map(abs, [], label="x", ahead=True)) == []


def test_work_ahead_that_kills_its_worker_is_tried_again(tmp_path):
    def die_once(x):
        mark = tmp_path / str(x)
        if x == 3 and not mark.exists():
            mark.write_text("")
            os.kill(os.getpid(), signal.SIGKILL)
        return x

    with make_executor("loky", workers=2) as executor:
        outcomes = executor.map(die_once, range(6), label="x", ahead=True)
        time.sleep(0.5)
        assert sorted(one.value for one in outcomes) == list(range(6))


def test_work_ahead_that_nobody_takes_ends_with_the_block(tmp_path):
    def slow(x):
        (tmp_path / str(os.getpid())).write_text("")
        time.sleep(x)

    def start_and_fail():
        with make_executor("loky", workers=2) as executor:
            executor.map(slow, [60, 60, 60], label="x", ahead=True)
            deadline = time.monotonic() + 30
            while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < deadline:
                time.sleep(0.02)
            raise RuntimeError("stop")

    start = time.monotonic()
    with pytest.raises(RuntimeError, match="stop"):
        start_and_fail()
    assert time.monotonic() - start < 30
    assert not any(running(int(path.name)) for path in tmp_path.iterdir())


def test_leaving_early_ends_the_workers_at_once(tmp_path):
    def slow(x):
        (tmp_path / str(os.getpid())).write_text("")
        time.sleep(x)

    start = time.monotonic()
    with make_executor("loky", workers=2) as executor:
        for _ in executor.map(slow, [0, 60, 60], label="x"):
            break
    assert time.monotonic() - start < 10
    assert not any(running(int(path.name)) for path in tmp_path.iterdir())


def test_an_error_in_the_block_ends_the_workers_at_once():
    def consume():
        with make_executor("loky", workers=2) as executor:
            outcomes = executor.map(time.sleep, [0, 60, 60], label="x")
            kept.append(outcomes)
            next(outcomes)
            raise RuntimeError("stop")

    kept = []
    start = time.monotonic()
    with pytest.raises(RuntimeError, match="stop"):
        consume()
    assert time.monotonic() - start < 10


def running(pid):
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"  # a zombie waits for its parent only


SLEEPER = """
import os, pathlib, sys, time
from hepflow.execution import make_executor

def sleep(seconds):
    pathlib.Path(sys.argv[1], str(os.getpid())).write_text("")
    time.sleep(seconds)

with make_executor("loky", workers=2) as executor:
    for outcome in executor.map(sleep, [120] * 4, label="sleep"):
        pass
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
@pytest.mark.parametrize(("number", "limit"), [(signal.SIGINT, 5.0), (signal.SIGKILL, 8.0)])
def test_a_stopped_client_leaves_no_workers(tmp_path, number, limit):
    with subprocess.Popen(
        [sys.executable, "-c", SLEEPER, str(tmp_path)], stderr=subprocess.PIPE, text=True
    ) as client:
        while len(list(tmp_path.iterdir())) < 2:
            assert client.poll() is None, client.stderr.read()
            time.sleep(0.05)
        workers = [int(path.name) for path in tmp_path.iterdir()]
        start = time.monotonic()
        client.send_signal(number)
        assert client.wait(10) == -number
        while any(running(pid) for pid in workers):
            assert time.monotonic() - start < limit
            time.sleep(0.05)
        said = client.stderr.read()
    if number == signal.SIGINT:
        assert said.strip().endswith("KeyboardInterrupt")


UNGUARDED = """
import os
from user_physics import cuts
from hepflow.execution import make_executor

def double(x):
    return cuts.scaled(2 * x), os.getpid()

executor = make_executor("loky", workers=2)
outcomes = list(executor.map(double, range(5), label="x"))
print(sorted(o.value[0] for o in outcomes), os.getpid() not in {o.value[1] for o in outcomes})
"""


@pytest.mark.parametrize("how", ["standard input", "script"])
def test_an_unguarded_script_and_standard_input_work_with_user_modules(tmp_path, how):
    package = tmp_path / "elsewhere" / "user_physics"
    package.mkdir(parents=True)
    (package / "cuts.py").write_text(
        "from user_physics.helper import factor\ndef scaled(x):\n    return factor() * x\n"
    )
    (package / "helper.py").write_text("TEN = 10\ndef factor():\n    return TEN\n")
    script = f"import sys; sys.path.insert(0, {str(package.parent)!r})\n{UNGUARDED}"
    (tmp_path / "script.py").write_text(script)
    command = [sys.executable, "-" if how == "standard input" else "script.py"]
    done = subprocess.run(
        command, input=script, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[0, 20, 40, 60, 80] True\n"


def test_the_cluster_needs_no_user_module(scheduler, tmp_path, monkeypatch):
    (tmp_path / "helper_of_an_executor.py").write_text("def add(x):\n    return x + 1\n")
    (tmp_path / "cuts_of_an_executor.py").write_text(
        textwrap.dedent("""
        import dataclasses
        import helper_of_an_executor

        @dataclasses.dataclass(frozen=True)
        class Item:
            x: int

        def plus_two(item):
            return Item(helper_of_an_executor.add(helper_of_an_executor.add(item.x)))
        """)
    )
    monkeypatch.syspath_prepend(tmp_path)
    import cuts_of_an_executor  # type: ignore[import-not-found] # made above

    with make_executor("dask", scheduler=scheduler) as executor:
        items = [cuts_of_an_executor.Item(1), cuts_of_an_executor.Item(2)]
        outcomes = sorted(
            executor.map(cuts_of_an_executor.plus_two, items, label="x"), key=lambda o: o.index
        )
        assert executor.workers == 2
    values = [outcome.value for outcome in outcomes]
    assert values == [cuts_of_an_executor.Item(3), cuts_of_an_executor.Item(4)]
    import cloudpickle

    assert "cuts_of_an_executor" not in cloudpickle.list_registry_pickle_by_value()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"backend": "lokky"}, r"execution\.backend: 'lokky'.*Did you mean 'loky'"),
        ({"backend": "dask"}, r"execution\.scheduler: .*needs the address"),
        ({"workers": 0}, r"execution\.workers: 0 is below 1"),
    ],
)
def test_a_wrong_choice_is_a_configuration_error(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        make_executor(**arguments)


def test_a_scheduler_that_does_not_answer_is_named():
    executor = EXECUTORS["dask"](
        workers=None, scheduler="tcp://127.0.0.1:1", max_retries=2, progress=None
    )
    executor.timeout = 0.2
    with pytest.raises(ExecutionError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1"):
        list(executor.map(square, [1], label="x"))


def test_a_failure_becomes_an_error_of_its_class():
    error = MissingBranch("no branch")
    error.add_note("file: x")
    again = Failure.of(error).to_error()
    assert type(again) is MissingBranch
    assert str(again) == "no branch"
    assert again.__notes__ == ["file: x"]
    assert str(Failure.of(error)) == "MissingBranch: no branch\nfile: x"
    other = Failure.of(ZeroDivisionError("x")).to_error()
    assert type(other) is ExecutionError
    assert str(other) == "ZeroDivisionError: x"
    configuration = Failure.of(ConfigurationError([])).to_error()
    assert type(configuration) is ExecutionError


def test_outcomes_come_in_the_order_of_the_items_on_one_worker():
    with make_executor("loky", workers=1) as executor:
        outcomes = list(executor.map(square, range(12), label="x"))
    assert [o.index for o in outcomes] == list(range(12))
    assert all(type(o) is Outcome for o in outcomes)
    assert make_executor("loky").workers >= 1
    assert pool_module._index(pool_module._key(7)) == 7
