"""Preserved analyses: one folder or zip with all that a reinterpretation needs."""

from hepflow.reinterpretation.bundle.loading import PreservedAnalysis, load
from hepflow.reinterpretation.bundle.manifest import Bundle, Manifest
from hepflow.reinterpretation.bundle.preserving import preserve
from hepflow.reinterpretation.bundle.verifying import verify

__all__ = ["Bundle", "Manifest", "PreservedAnalysis", "load", "preserve", "verify"]
