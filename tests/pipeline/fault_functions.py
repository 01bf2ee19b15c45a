"""Faults of the user's functions: what they raise, give back, or do to their worker."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.pipeline.fault_case import Fault
from tests.pipeline.fault_project import SICK, TARGET

ONE = ((TARGET, SICK, SICK + 1),)
MOST, FEW = 150, 80  # events that are too many at once: in the skim, in filling
_ENTRIES = (f"{SICK} to {SICK + 1}", "What is beside these entries works")


@dataclass(frozen=True)
class Function:
    """A function of the user, and what one event that it does not like makes it do."""

    head: str
    value: str  # what it gives back
    marker: str  # of the event
    place: str  # in the configuration
    wrong: str  # of `_WRONG`, beside that it raises
    tells: str  # what the message says then
    executors: tuple[str, str]  # where it raises; where it does the other thing
    rescale: str = ""  # where the run goes on without the event
    stage: str = "histograms"

    @property
    def name(self) -> str:
        """Its name."""
        return self.head.removeprefix("def ").partition("(")[0]

    def edited(self, text: str) -> tuple[tuple[str, str], ...]:
        """Change of the user's module."""
        new = text.format(value=self.value, marker=self.marker)
        return ((f"{self.head}\n    return {self.value}\n", f"{self.head}\n    {new}\n"),)


SKIM = Function(
    head="def skim(trigger, met):",
    value="trigger & (met > 10.0)",
    marker="met > 1e5",
    place="preprocess.skimming.function",
    wrong="None",
    tells="preprocess.skimming.function: the mask has missing values. Fill them",
    executors=("i", "d"),
    rescale="d",
    stage="skim",
)
SELECT = Function(
    head="def many_jets(jets, met):",
    value="ak.num(jets, axis=1) >= 2",
    marker="met > 1e5",
    place="channels[0] (SR).selection",
    wrong="wrong length",
    tells="channels[0] (SR).selection: returned a mask of 0 entries for 1 events",
    executors=("d", "i"),
    rescale="i",
)
_FUNCTIONS = (
    SKIM,
    Function(
        head="def good_jets(pt):",
        value="pt > 30.0",
        marker="pt > 1e5",
        place="good_object_masks.analysis[0] (Jet)",
        wrong="wrong length",
        tells="good_object_masks.analysis[0] (Jet): expected one value for each Jet",
        executors=("i", "i"),
    ),
    Function(
        head="def some_jets(jets):",
        value="ak.num(jets, axis=1) >= 1",
        marker="ak.any(jets.pt > 1e5, axis=1)",
        place="baseline_selection",
        wrong="None",
        tells="baseline_selection: the mask has missing values. Fill them",
        executors=("i", "i"),
    ),
    SELECT,
    Function(
        head="def scalar_sum(jets, met):",
        value="ak.sum(jets.pt, axis=1)",
        marker="met > 1e5",
        place="ghost_observables[0]",
        wrong="wrong length",
        tells="ghost_observables[0]: 'ht' has 0 entries for 1 events",
        executors=("i", "i"),
    ),
    Function(
        head="def itself(values):",
        value="values * 1.0",
        marker="values > 1e5",
        place="channels[0] (SR).observables (met)",
        wrong="NaN",
        tells="channels[0] (SR).observables (met): 1 of 1 values are not a number",
        executors=("i", "i"),
    ),
    Function(
        head="def up(met):",
        value="1.0 + 0.0 * met",
        marker="met > 1e5",
        place="systematics[0] (scale)",
        wrong="NaN",
        tells="systematics[0] (scale): 1 of 1 factors are not finite numbers",
        executors=("i", "i"),
        rescale="d",
    ),
)
_WRONG = {
    "raises": "if ak.any({marker}):\n        raise ValueError('sick event')\n    return {value}",
    "wrong length": "values = {value}\n    return values[1:] if ak.any({marker}) else values",
    "None": "return ak.mask({value}, ~({marker}))",
    "NaN": "return ak.where({marker}, np.nan, {value})",
}


def _faults_of(one: Function) -> Iterator[Fault]:
    raised = f"{one.place}: mine.{one.name} raised ValueError: sick event (line "
    told = ((raised, "mine.py"), (one.tells,))
    kinds = ("raises", one.wrong)
    for wrong, executors, tells in zip(kinds, one.executors, told, strict=True):
        yield Fault(
            f"{one.name} {wrong}",
            one.stage,
            executors=executors,
            rescale="" if wrong == "raises" else one.rescale,
            changes=one.edited(_WRONG[wrong]),
            sick=True,
            says=(TARGET, *_ENTRIES, *tells),
            status=(1, 2),
            lost=ONE,
            remains="without sick",
        )


FUNCTIONS = tuple(fault for one in _FUNCTIONS for fault in _faults_of(one))

# -- memory and processes --------------------------------------------------------------------

_FULL = """if ak.any({{marker}}) and len(met) > {most}:
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        before = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (size + 2**27, before[1]))
        try:
            np.ones(2**28)
        finally:
            resource.setrlimit(resource.RLIMIT_AS, before)
    return {{value}}"""
_KILLED_IF_LARGE = """if ak.any({{marker}}) and len(met) > {most}:
        os.kill(os.getpid(), signal.SIGKILL)
    return {{value}}"""
_KILLED_ONCE = """if ak.any({marker}) and not (HERE / "struck").exists():
        (HERE / "struck").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return {value}"""
_KILLED_ALWAYS = """if ak.any({marker}):
        os.kill(os.getpid(), signal.SIGKILL)
    return {value}"""
MEMORY = tuple(
    Fault(
        kind,
        stage,
        executors=executors,
        changes=function.edited(text.format(most=most)),
        sick=True,
        ends="completes",
        repartitioned=True,
        words=("--preprocess.skimming.max_retries=0",),
    )
    for kind, text, stage, function, most, executors in (
        ("out of memory", _FULL, "skim", SKIM, MOST, "id"),
        ("out of memory", _FULL, "histograms", SELECT, FEW, "i"),
        ("killed for memory", _KILLED_IF_LARGE, "skim", SKIM, MOST, "l"),
        ("killed for memory", _KILLED_IF_LARGE, "histograms", SELECT, FEW, "d"),
    )
)
WORKERS = (
    *(
        Fault(
            "worker killed once",
            stage,
            executors=executors,
            changes=function.edited(_KILLED_ONCE),
            sick=True,
            ends="completes",
        )
        for stage, function, executors in (("skim", SKIM, "l"), ("histograms", SELECT, "d"))
    ),
    *(
        Fault(
            "worker killed from outside",
            stage,
            executors=executors,
            action=("kill_worker",),
            after=1,
            ends="completes",
        )
        for stage, executors in (("metadata", "l"), ("duplicates", "d"))
    ),
    Fault(
        "worker killed always",
        "skim",
        executors="d",
        at="start",
        action=("heat",),
        changes=SKIM.edited(_KILLED_ALWAYS),
        words=("--preprocess.skimming.max_retries=0",),
        says=(TARGET, "worker", "died"),
        status=(1,),
    ),
)
