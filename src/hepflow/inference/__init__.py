"""Simulation-based inference: from the parameters of a theory to limits without histograms."""

from hepflow.inference.event_file import read_events, write_events
from hepflow.inference.methods.estimators import Estimator
from hepflow.inference.methods.settings import Structure, TrainingSettings
from hepflow.inference.methods.training import train
from hepflow.inference.morphing import Morphing
from hepflow.inference.physics.drell_yan import DrellYan, DrellYanSettings
from hepflow.inference.physics.drell_yan_amplitudes import BENCHMARKS
from hepflow.inference.priors import Normal, Uniform
from hepflow.inference.records import Benchmark, EventTable, Parameter
from hepflow.inference.sampling import Partitions, ratio_sample, score_sample, split
from hepflow.inference.workflow.running import Finished, run_study

__all__ = [
    "BENCHMARKS",
    "Benchmark",
    "DrellYan",
    "DrellYanSettings",
    "Estimator",
    "EventTable",
    "Finished",
    "Morphing",
    "Normal",
    "Parameter",
    "Partitions",
    "Structure",
    "TrainingSettings",
    "Uniform",
    "ratio_sample",
    "read_events",
    "run_study",
    "score_sample",
    "split",
    "train",
    "write_events",
]
