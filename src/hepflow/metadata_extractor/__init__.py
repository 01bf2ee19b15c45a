"""What the files hold: entry ranges, numbers of events, sums of weights."""

from hepflow.metadata_extractor.files import FileTask, inspect_file, work_steps
from hepflow.metadata_extractor.generator import NanoAODMetadataGenerator
from hepflow.metadata_extractor.shapes import (
    build_workitems,
    workitem_from_json,
    workitem_to_json,
)

__all__ = [
    "FileTask",
    "NanoAODMetadataGenerator",
    "build_workitems",
    "inspect_file",
    "work_steps",
    "workitem_from_json",
    "workitem_to_json",
]
