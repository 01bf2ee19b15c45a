"""What a command leaves at its end: where its results come from, and the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hepflow.keys import library_version
from hepflow.output_manager import OutputDirectoryManager
from hepflow.provenance import code_state, resolved, software, user_folders
from hepflow.records import Ledger
from hepflow.report import REPORT_FILE, collect, write_report
from hepflow.storage import read_json, write_json

if TYPE_CHECKING:
    from hepflow.inference.workflow.running import Finished

KIND: Final = "inference"  # in run.json: what the folder is of
RECORD: Final = "run.json"
_LIBRARIES: Final = ("jax", "equinox", "optax", "h5py", "pylhe", "pythia8mc")


def conclude(finished: Finished, manager: OutputDirectoryManager) -> Finished:
    """Write the record of the run and the report.

    In the folder of an analysis the record of that stays, and its report gets a section more.
    """
    folder = manager.get_custom_dir("inference")
    content = provenance(finished)
    write_json(folder / RECORD, resolved(content))
    report = manager.get_report_dir()
    if not belongs_to_analysis(report):
        write_json(report / RECORD, resolved(content))
    if not finished.study.general.report:
        return finished
    path = report / REPORT_FILE
    return replace(finished, report=write_report(collect(finished.output_dir), path))


def belongs_to_analysis(report: Path) -> bool:
    """Whether an analysis of events has left its record there."""
    path = report / RECORD
    return path.exists() and read_json(path, "a run of hepflow").get("kind") != KIND


def provenance(finished: Finished) -> dict[str, Any]:
    """Contents of ``run.json``: software, the user's code, stages, timings, problems."""
    found = software()
    packages: Mapping[str, str] = {
        name: words[1] for name in _LIBRARIES if len(words := library_version(name).split()) > 1
    }
    return {
        **found,
        "packages": {**found["packages"], **packages},
        "kind": KIND,
        "action": finished.action,
        "user_code": [code_state(one) for one in user_folders(finished.study.to_dict())],
        "input_digests": {},
        "cpu_seconds": round(finished.cpu_seconds, 3),
        "wall_seconds": round(finished.wall_seconds, 3),
        "stages": [
            {"name": one.name, "outcome": one.outcome, "why": one.why} for one in finished.stages
        ],
        "stage_seconds": {name: round(value, 3) for name, value in finished.parts.seconds.items()},
        "exit_status": finished.exit_status,
        "problems": list(finished.problems),
        "remarks": list(finished.remarks),
        "losses": [],
        "input": [],
        "ledger": Ledger().to_json(),
    }
