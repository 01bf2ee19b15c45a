"""What a fault is, and one case of the matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

EXECUTORS = {"i": "inprocess", "l": "loky", "d": "dask"}
Ends = Literal["refuses", "completes", "dies", "interrupted"]
Lost = tuple[str, int, int]  # file, first entry, one after the last
ONE_PASS = ("--execution.one_pass=true",)
FIT = ("--general.run_statistics=true",)
DRAW = ("--plotting.enabled=true",)


@dataclass(frozen=True)
class Fault:
    """One kind of fault at one stage."""

    kind: str
    stage: str
    executors: str = "i"  # letters of EXECUTORS: where it fails the run, or does no harm
    rescale: str = ""  # where the run goes on without what is lost
    drop: str = ""  # where the run goes on without the dataset
    action: tuple[str | int, ...] = ()  # of `fault_actions`, and its arguments
    at: str = ""  # moment of the action: a stage, "start" of the run; "" is `stage`
    after: int = 0  # outcomes of the stage before the action
    changes: tuple[tuple[str, str], ...] = ()  # of the user's module
    sick: bool = False  # one event of the input is such that functions refuse it
    words: tuple[str, ...] = ()
    says: tuple[str, ...] = ()  # texts of the message
    status: tuple[int, ...] = (2,)
    ends: Ends = "refuses"
    lost: tuple[Lost, ...] = ()  # with rescale
    remains: str = ""  # input that gives the same as what is left
    repartitioned: bool = False  # the same events in other parts: sums differ in the last bits
    disk: tuple[str, int] | None = None  # a small file system: where, how many bytes
    finished: bool = False  # an earlier run has completed
    damages: bool = False  # what a run made is not whole afterwards: that is the fault


@dataclass(frozen=True)
class Case:
    """A fault on an executor, under a policy."""

    fault: Fault
    executor: str
    policy: str = "fail"

    @property
    def name(self) -> str:
        """For people."""
        policy = "" if self.policy == "fail" else f"-{self.policy}"
        return f"{self.fault.kind}-{self.fault.stage}-{self.executor}{policy}".replace(" ", "_")
