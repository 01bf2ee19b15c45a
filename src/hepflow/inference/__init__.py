"""Simulation-based inference: from the parameters of a theory to limits without histograms."""
