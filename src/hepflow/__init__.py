"""hepflow: from collision events to a published limit with one configuration."""

__version__ = "0.1.0"
