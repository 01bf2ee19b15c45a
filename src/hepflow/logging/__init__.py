"""Log messages, progress and tables for people.

Library code logs through ``logging.getLogger(__name__)``; only scripts call `setup_logging`.
"""

from hepflow.logging.config_table import display_config_table
from hepflow.logging.console import get_config_logger, log_banner, setup_logging
from hepflow.logging.progress import Task, progress
from hepflow.logging.tables import print_table

__all__ = [
    "Task",
    "display_config_table",
    "get_config_logger",
    "log_banner",
    "print_table",
    "progress",
    "setup_logging",
]
