"""One thread a process for JAX: methods and members train in processes side by side."""

from __future__ import annotations

import os


def use_one_thread() -> None:
    """Let JAX work in one thread; to be called before it computes anything in this process.

    Its processor client reads this variable when it starts. The flags
    ``--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1`` that are often advised
    do not hold with JAX 0.4.35 and newer: its matrix products go on in several threads. A
    number that the user has set stays.
    """
    os.environ.setdefault("PJRT_NPROC", "1")
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
