"""The order of the stages: plan them, and run them."""

from hepflow.pipeline.ending import RunResult, problems_of, write_resolved
from hepflow.pipeline.running import run
from hepflow.pipeline.stages import Stage, make_output_manager, make_skims, plan

__all__ = [
    "RunResult",
    "Stage",
    "make_output_manager",
    "make_skims",
    "plan",
    "problems_of",
    "run",
    "write_resolved",
]
