"""Networks that learn scores, likelihood ratios and densities from simulated events."""
