"""Columns of a file -> event record with Lorentz vectors. Knows file formats, nothing else does."""

from hepflow.events.branches import (
    BLOCK_ID,
    EVENT,
    EVENT_ID,
    Branches,
    BranchMap,
    branch_name,
    branches_of,
    index_target,
    merge_branches,
    name_in_file,
    names_of,
)
from hepflow.events.kept_open import file_version, keep_open, kept_open, status_of
from hepflow.events.lists import Lists, columns_of, flat_like, numbers, packed, stacked
from hepflow.events.open_file import (
    OpenFile,
    check_branches,
    open_tree,
    present_branches,
    read_events,
)
from hepflow.events.record import (
    COORDINATES,
    behaviour,
    build_events,
    replace_object,
    with_behaviour,
)
from hepflow.events.root import sum_of_runs

__all__ = [
    "BLOCK_ID",
    "COORDINATES",
    "EVENT",
    "EVENT_ID",
    "BranchMap",
    "Branches",
    "Lists",
    "OpenFile",
    "behaviour",
    "branch_name",
    "branches_of",
    "build_events",
    "check_branches",
    "columns_of",
    "file_version",
    "flat_like",
    "index_target",
    "keep_open",
    "kept_open",
    "merge_branches",
    "name_in_file",
    "names_of",
    "numbers",
    "open_tree",
    "packed",
    "present_branches",
    "read_events",
    "replace_object",
    "stacked",
    "status_of",
    "sum_of_runs",
    "with_behaviour",
]
