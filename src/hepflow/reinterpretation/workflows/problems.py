"""All that is wrong in a workflow and its inputs, in one error."""

from __future__ import annotations

from collections.abc import Sequence

from hepflow.errors import ConfigurationError, Problem


class WorkflowError(ConfigurationError):
    """A workflow or its inputs are wrong; `problems` holds all that is wrong."""

    code = "HF102"
    cause = (
        "A workflow, the steps that it refers to, or the values handed to it do not fit together; "
        "the message lists every problem with its file and the path in it. No step has run."
    )
    remedy = (
        "Correct the entry at each path. What is run here of yadage's language stands in "
        "docs/how-to/workflows.md."
    )

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(problems)
        count = len(self.problems)
        head = "1 problem" if count == 1 else f"{count} problems"
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        self.args = (f"the workflow has {head}, nothing was run:\n{lines}",)
