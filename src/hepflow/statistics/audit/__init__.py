"""The audit of templates before a fit: as a function on histograms, workspaces and files."""

from __future__ import annotations

from hepflow.statistics.audit.codes import (
    ACCEPTED,
    CODES,
    ERROR,
    SEVERITIES,
    WARNING,
    Code,
    what_of,
)
from hepflow.statistics.audit.of_estimates import estimate_findings
from hepflow.statistics.audit.of_histograms import of_file, of_histograms
from hepflow.statistics.audit.of_workspace import of_workspace
from hepflow.statistics.audit.record import (
    AuditTemplates,
    RegionTemplates,
    SampleTemplates,
    Sides,
)
from hepflow.statistics.audit.run import (
    accept,
    audit,
    audit_run,
    audit_workspace,
    errors_of,
    in_order,
    require_clean,
    where_of,
    without_data,
)
from hepflow.statistics.audit.skim import skim_findings
from hepflow.statistics.audit_spec import Acceptance, AuditSpec

__all__ = [
    "ACCEPTED",
    "CODES",
    "ERROR",
    "SEVERITIES",
    "WARNING",
    "Acceptance",
    "AuditSpec",
    "AuditTemplates",
    "Code",
    "RegionTemplates",
    "SampleTemplates",
    "Sides",
    "accept",
    "audit",
    "audit_run",
    "audit_workspace",
    "errors_of",
    "estimate_findings",
    "in_order",
    "of_file",
    "of_histograms",
    "of_workspace",
    "require_clean",
    "skim_findings",
    "what_of",
    "where_of",
    "without_data",
]
